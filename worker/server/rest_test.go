package server

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"
)

// What is in a pipe whose deadline has passed is read to the last byte, though somebody still holds it open.
func TestRest(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer theirs.Close()
	if err := ours.SetReadDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	said := bytes.Repeat([]byte("last words\n"), 3000)
	if _, err := theirs.Write(said); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(newRest(ours)); err != nil || !bytes.Equal(got, said) {
		t.Errorf("%d bytes of %d, %v", len(got), len(said), err)
	}
	if got, err := io.ReadAll(newRest(ours)); err != nil || len(got) > 0 {
		t.Errorf("of an empty pipe: %q, %v", got, err)
	}
}
