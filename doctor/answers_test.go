package doctor

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/password"
)

// TestAnswersAreKeptUntilForgotten: each question is put once, and anew when the answer from memory was refused.
func TestAnswersAreKeptUntilForgotten(t *testing.T) {
	n := 0
	a := &answers{ask: func(_ context.Context, p password.Prompt) (box.Secret[string], error) {
		if n++; p.Hop == "none" {
			return box.NewSecret(""), password.ErrNone
		}
		return box.NewSecret(fmt.Sprint(p.Hop, n)), nil
	}}
	answer := func(hop string, number int) string {
		s, err := a.provider()(t.Context(), password.Prompt{Hop: hop, Text: "Password:", Number: number})
		if errors.Is(err, password.ErrNone) {
			return "none"
		}
		return s.Reveal()
	}
	var got []string
	got = append(got, answer("ssh", 1), answer("sudo", 2), fmt.Sprint(a.recalled), answer("ssh", 1), answer("sudo", 1), answer("none", 1), answer("none", 1))
	got = append(got, fmt.Sprint(a.forget()), answer("ssh", 1), fmt.Sprint(a.forget()))
	if want := "[ssh1 sudo2 false ssh1 sudo2 none none true ssh5 false]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if (&answers{}).provider() != nil {
		t.Error("nobody may be asked, and is")
	}
}
