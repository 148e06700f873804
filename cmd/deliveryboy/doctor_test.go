package main

import (
	"context"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestDoctorAsksOnce: a target on the way is examined, and opened for what is behind it; both with one question. What was
// answered before, and is wrong by now, is asked for again.
func TestDoctorAsksOnce(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	st.NeedPassword(t)
	st.Root.SetSudoers(t, "Defaults timestamp_timeout=0\n"+st.User+" ALL=(root:ALL) ALL\n")
	var asked []password.Prompt
	answer := st.Password
	ask := func(_ context.Context, p password.Prompt) (box.Secret[string], error) {
		asked = append(asked, p)
		return box.NewSecret(answer), nil
	}
	root := stop{name: "root", spec: transport.Spec{Via: transport.Sudo{}, Binary: st.Binary}}
	behind := transport.Spec{Via: transport.Runuser{User: st.Second}, Binary: st.Binary}
	e := &examination{memory: password.Remember(ask)}
	if _, err := e.examine(t.Context(), specFlag{way: route{root}, spec: behind}); err != nil || len(asked) != 1 {
		t.Fatalf("asked %+v: %v", asked, err)
	}

	e.memory.ForgetAll()
	answer = "wrong"
	if _, err := e.remembers(root).Ask(t.Context(), asked[0]); err != nil {
		t.Fatal(err)
	}
	answer, asked = st.Password, nil
	_, done, err := e.behind(t.Context(), route{root}, stop{spec: behind})
	done()
	if err != nil || len(asked) != 1 {
		t.Errorf("asked %+v: %v", asked, err)
	}
}
