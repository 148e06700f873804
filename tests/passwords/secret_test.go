//go:build linux

package passwords

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// account has a secret beside other things.
type account struct {
	Name string
	Keys map[string]box.Secret[[]byte]
}

var store = registry.Register("passwords.store", func(a account) (string, error) {
	if string(a.Keys["one"].Reveal()) != reversed(canary) {
		return "", errors.New("another key")
	}
	fmt.Println(a, a.Keys)
	return "", fmt.Errorf("cannot store %+v", a)
})

var drop = registry.Register("passwords.drop", func(s box.Secret[string]) { panic(s) })

const canary = "canary-51c0-secret"

func reversed(s string) string {
	b := []byte(s)
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
	return string(b)
}

// TestASecretInACall arrives as it left, and is in nothing that a call prints or fails with.
func TestASecretInACall(t *testing.T) {
	st.NeedSudo(t)
	var out strings.Builder
	for _, via := range []transport.Transport{nil, transport.Self{}, transport.Sudo{}} {
		root := delivery.Once{Via: via}
		if via != nil {
			root.Stdout, root.Stderr = &out, &out
		}
		got, err := echo.On(root)(box.NewSecret(canary))
		if err != nil || got.Reveal() != reversed(canary) {
			t.Errorf("%v: %q, %v", via, got.Reveal(), err)
		}
		_, err = store.On(root)(account{"www", map[string]box.Secret[[]byte]{"one": box.NewSecret([]byte(reversed(canary)))}})
		if err == nil || !strings.Contains(err.Error(), "cannot store") {
			t.Errorf("%v: %+v", via, err)
		}
		var panicked any
		func() {
			defer func() { panicked = recover() }()
			drop.On(root)(box.NewSecret(canary))
		}()
		text := fmt.Sprintf("%+v %v %s %+v", err, panicked, out.String(), got)
		for _, s := range []string{canary, reversed(canary)} {
			if strings.Contains(text, s) {
				t.Errorf("%v shows %q:\n%s", via, s, text)
			}
		}
	}
}
