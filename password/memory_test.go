package password

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
)

// TestMemory: each question is put once for each target, a second one after Forget, and none of two hops of one name is kept.
func TestMemory(t *testing.T) {
	t.Parallel()
	n := 0
	all := Remember(func(_ context.Context, p Prompt) (box.Secret[string], error) {
		if n++; p.Hop == "none" {
			return box.NewSecret(""), ErrNone
		}
		return box.NewSecret(fmt.Sprint(p.Hop, n)), nil
	})
	answer := func(m *Memory, hop string, number int) string {
		s, err := m.Ask(t.Context(), Prompt{Hop: hop, Text: "Password:", Number: number})
		if errors.Is(err, ErrNone) {
			return "none"
		}
		defer s.Wipe() // who gets an answer may wipe it
		return s.Reveal()
	}
	web, db := all.For("web", []string{"ssh", "sudo"}), all.For("db", []string{"ssh", "sudo", "ssh"})
	var got []string
	got = append(got, answer(web, "ssh", 1), answer(web, "sudo", 2), fmt.Sprint(web.Forget()), answer(web, "ssh", 1), answer(web, "ssh", 2), answer(web, "none", 1), answer(web, "none", 1))
	got = append(got, answer(db, "sudo", 1), answer(db, "sudo", 1), answer(db, "ssh", 1), answer(db, "ssh", 1))
	got = append(got, fmt.Sprint(web.Forget(), web.Forget()), answer(web, "ssh", 1), answer(db, "sudo", 1))
	all.ForgetAll()
	got = append(got, answer(db, "sudo", 1))
	if want := "[ssh1 sudo2 false ssh3 ssh3 none none sudo6 sudo6 ssh7 ssh8 true false ssh9 sudo6 sudo10]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
