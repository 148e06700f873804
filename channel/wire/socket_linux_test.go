package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// sockets returns a wire that reads a unix socket, and one that writes to it.
func sockets(t *testing.T) (in, out *Wire, raw *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	s, err := NewSocket(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return NewBinary(s, nil, Options{Descriptors: s}), NewBinary(strings.NewReader(""), b, Options{}), b
}

func open(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

func descriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// Open files arrive with their frames, in order, between others, closed for programs that this one starts.
func TestDescriptors(t *testing.T) {
	in, out, _ := sockets(t)
	var many []*os.File
	for i := range maxDescriptors {
		many = append(many, open(t, fmt.Sprint(i)))
	}
	if err := out.WriteFrame(Data, 0, 1, []byte("before")); err != nil {
		t.Fatal(err)
	}
	if err := out.WriteDescriptors(2, open(t, "one")); err != nil {
		t.Fatal(err)
	}
	if err := out.WriteDescriptors(4, many...); err != nil {
		t.Fatal(err)
	}
	if err := out.WriteFrame(Data, 0, 1, []byte("after")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 4 {
		f, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%s %d %s", f.Type, f.Stream, bytes.Trim(f.Payload, "\x00\x01\x08"))
		for _, file := range f.Files {
			text, err := io.ReadAll(file)
			if err != nil {
				t.Error(err)
			}
			if flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("not closed on exec: %v", err)
			}
			file.Close()
			line += string(text)
		}
		got = append(got, line)
	}
	if want := "data 1 before|descriptor 2 one|descriptor 4 01234567|data 1 after"; strings.Join(got, "|") != want {
		t.Errorf("got %q\nwant %q", strings.Join(got, "|"), want)
	}
}

func TestTooManyDescriptors(t *testing.T) {
	_, out, _ := sockets(t)
	if err := out.WriteDescriptors(2, make([]*os.File, maxDescriptors+1)...); !errors.Is(err, ErrLimit) {
		t.Errorf("got %v", err)
	}
	pipe, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	if _, err := NewSocket(pipe); err == nil {
		t.Error("a pipe is taken for a socket")
	}
}

// What a hostile sender passes is closed, and ends the wire if it is too much.
func TestHostileDescriptors(t *testing.T) {
	for name, send := range map[string]func(raw *os.File, fd int) error{
		"more than eight at once": func(raw *os.File, fd int) error {
			fds := make([]int, 20)
			for i := range fds {
				fds[i] = fd
			}
			h := newHeader(Data, 0, 1, nil)
			return unix.Sendmsg(int(raw.Fd()), h[:], unix.UnixRights(fds...), nil, 0)
		},
		"many that no frame takes": func(raw *os.File, fd int) error {
			for range maxWaiting + 1 {
				h := newHeader(Data, 0, 1, nil)
				if err := unix.Sendmsg(int(raw.Fd()), h[:], unix.UnixRights(fd), nil, 0); err != nil {
					return err
				}
			}
			return nil
		},
		"a frame without": func(raw *os.File, _ int) error {
			payload := []byte{0, 0, 0, 1}
			h := newHeader(Descriptor, 0, 1, [][]byte{payload})
			return unix.Sendmsg(int(raw.Fd()), append(h[:], payload...), nil, nil, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in, _, raw := sockets(t)
			f := open(t, "x")
			before := descriptors(t)
			if err := send(raw, int(f.Fd())); err != nil {
				t.Fatal(err)
			}
			var err error
			for err == nil {
				_, err = in.Next()
			}
			if e := (*FrameError)(nil); !errors.As(err, &e) || !errors.Is(err, ErrLimit) && !errors.Is(err, ErrProtocol) {
				t.Errorf("got %v", err)
			}
			in.socket.Close()
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors before, %d after", before, after)
			}
		})
	}
}
