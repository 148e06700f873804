//go:build linux

package passwords

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/internal/askpass"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// TestArgvBesideTheTerminal: words that break a careless quoting, a megabyte both ways, and exit codes, through a su and a
// doas that have asked.
func TestArgvBesideTheTerminal(t *testing.T) {
	accounts(t)
	doasRules(t, "permit "+st.User+" as root")
	data := bytes.Repeat([]byte("\x00\x01\x03\x04\x11\x13\x1a\x7f\r\n\xff^Cdata"), 1<<16)
	for _, c := range []struct {
		via    transport.Transport
		secret string
	}{
		{transport.Su{}, rootsPassword}, {transport.Su{User: st.Second, Login: true}, secondsPassword}, {transport.Doas{}, st.Password},
	} {
		desk, err := askpass.Open(limited(t), func(context.Context, askpass.Question) ([]byte, error) { return []byte(c.secret), nil })
		if err != nil {
			t.Fatal(err)
		}
		desk.Admit(0)
		via := transport.Asking(c.via, []string{askpass.Terminal(desk.Helper())})
		words := transporttest.Words()
		cmd := transporttest.Local(t, via, transporttest.PrintWords(words))
		out, err := cmd.Output()
		if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(got, words) {
			t.Errorf("%v: %v, %d words of %d", c.via, err, len(got), len(words))
		}
		cmd = transporttest.Local(t, via, []string{"/bin/cat"})
		cmd.Stdin = bytes.NewReader(data)
		if out, err = cmd.Output(); err != nil || !bytes.Equal(out, data) {
			t.Errorf("%v: %v, %d bytes of %d", c.via, err, len(out), len(data))
		}
		var stderr bytes.Buffer
		cmd = transporttest.Local(t, via, []string{"/bin/sh", "-c", "printf 'raw\\r\\n\\377' >&2; exit 7"})
		cmd.Stderr = &stderr
		var exit *exec.ExitError
		if err = cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.HasPrefix(stderr.String(), "raw\r\n\xff") {
			t.Errorf("%v: %v, %q", c.via, err, stderr.String())
		}
		desk.Close()
	}
	leavesNothing(t)
}
