package socket

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/kernel"
)

var me = os.Geteuid()

// table is one with a socket "a.b" and a unix socket "u" of this user.
func table(t testing.TB) (list *Table, port string) {
	t.Helper()
	list = NewTable(nil, nil)
	t.Cleanup(func() { list.Close(true) })
	s, err := list.Make(me, "a.b", kernel.SocketSpec{})
	if err == nil {
		_, err = list.Make(me, "u", kernel.SocketSpec{Path: t.TempDir() + "/u"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return list, strconv.Itoa(s.Port)
}

// TestPA31Claim: what a process gets for which words.
func TestPA31Claim(t *testing.T) {
	list, port := table(t)
	for _, c := range []struct {
		listen, args, want []string
		files              int
	}{
		{nil, []string{"plain", "$(x)", "$", "$("}, []string{"plain", "$(x)", "$", "$("}, 0},
		{nil, []string{"$(socket.a.b.fileno)"}, []string{"3"}, 1},
		{nil, []string{"$(socket.u.fileno)-$(socket.a.b.fileno)-$(socket.u.fileno)"}, []string{"3-4-3"}, 2},
		{nil, []string{"x$(socket.a.b.port)y"}, []string{"x" + port + "y"}, 0},
		{[]string{"u"}, []string{"$(socket.a.b.fileno)", "$(socket.u.fileno)"}, []string{"4", "3"}, 2},
		{nil, []string{"$$(socket.a.b.fileno)"}, []string{"$(socket.a.b.fileno)"}, 0},
		{nil, []string{"$$$(socket.a.b.fileno)"}, []string{"$$(socket.a.b.fileno)"}, 0},
	} {
		claim, err := list.Claim(me, c.listen, c.args)
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if d := cmp.Diff(c.want, claim.Args); d != "" || len(claim.Files) != c.files || claim.Listen != len(c.listen) {
			t.Errorf("%q: %d files, %d to listen on (-want +got)\n%s", c.args, len(claim.Files), claim.Listen, d)
		}
		claim.Close()
	}
	for bad, kind := range map[string]error{
		"$(socket.a.b.fileno": kernel.ErrUsage, "$(socket.)": kernel.ErrUsage, "$(socket.a.b.x)": kernel.ErrUsage, "$(socket.u.port)": kernel.ErrUsage,
		"$(socket.nope.fileno)": kernel.ErrNotFound, "$(socket.nope.port)": kernel.ErrNotFound, "$(socket..fileno)": kernel.ErrNotFound,
		"$(socket.a/b.fileno)": kernel.ErrNotFound,
	} {
		if _, err := list.Claim(me, nil, []string{bad}); !errors.Is(err, kind) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := list.Claim(me+1, nil, []string{"$(socket.a.b.fileno)"}); !errors.Is(err, kernel.ErrNotFound) {
		t.Errorf("another owner's: %v", err)
	}
	if _, err := list.Claim(me, []string{"u", "u"}, nil); !errors.Is(err, kernel.ErrUsage) {
		t.Errorf("twice: %v", err)
	}
}

// TestLimit: sockets are counted, and one that is removed makes room.
func TestLimit(t *testing.T) {
	list := NewTable(nil, nil)
	defer list.Close(true)
	for i := range MaxSockets {
		if _, err := list.Make(i%3, "s"+strconv.Itoa(i), kernel.SocketSpec{Type: "dgram", Reuseport: true}); err != nil { // without a descriptor
			t.Fatal(err)
		}
	}
	if _, err := list.Make(1, "more", kernel.SocketSpec{Type: "dgram", Reuseport: true}); !errors.Is(err, kernel.ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
	if n, err := list.Remove(1, []string{"s1*"}); n == 0 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	if _, err := list.Make(1, "more", kernel.SocketSpec{}); err != nil {
		t.Error(err)
	}
}

// FuzzExpand: an argument without references stays as it is, and no argument does harm.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"$(socket.a.b.fileno)", "$$(socket.", "$(socket.a.b.port)$(socket.", "$(socket.\xff)", "plain"} {
		f.Add(s)
	}
	list, _ := table(f)
	f.Fuzz(func(t *testing.T, arg string) {
		claim, err := list.Claim(me, nil, []string{arg})
		if err != nil {
			if !strings.Contains(arg, opening) {
				t.Errorf("%q: %v", arg, err)
			}
			return
		}
		defer claim.Close()
		if !strings.Contains(arg, opening) && claim.Args[0] != arg {
			t.Errorf("%q became %q", arg, claim.Args[0])
		}
		if len(claim.Files) > 2 {
			t.Errorf("%q: %d files", arg, len(claim.Files))
		}
	})
}
