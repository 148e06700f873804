package holder

import (
	"errors"
	"io"
	"os"
	"testing"
)

// TestLastWords: what one side has sent arrives though it ended without having read what was sent to it.
func TestLastWords(t *testing.T) {
	ours, theirs, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	raw, err := ours.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := send(raw, message{Op: opSync}); err != nil {
		t.Fatal(err)
	}
	its, err := theirs.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	for _, m := range []message{{Op: opKeep, Key: "a", fds: []int{int(read.Fd())}}, {Op: opReady}} {
		if err := send(its, m); err != nil {
			t.Fatal(err)
		}
	}
	read.Close()
	theirs.Close()
	packet := make([]byte, maxPacket)
	m, err := receive(raw, packet)
	if err != nil || m.Op != opKeep || m.Key != "a" || len(m.fds) != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	closeAll(m.fds)
	if m, err = receive(raw, packet); err != nil || m.Op != opReady {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err = receive(raw, packet); !errors.Is(err, io.EOF) {
		t.Fatalf("%v, want the end", err)
	}
}
