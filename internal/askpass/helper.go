// Package askpass lets sudo, ssh, su and doas ask another process for a password.
//
// sudo and ssh start a program for that, which gets the question as its argument and prints the answer. Here the program is a
// copy of this one, the helper, which asks at a [Desk]: a unix socket in a directory that only this user can enter. Nothing
// but the name of the helper is in an environment or argv, and the answer is nowhere but on that socket and on the pipe that
// the helper prints to. su and doas ask at a terminal, which another copy makes for them: terminal.go.
package askpass

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// helperName is the name of the helper: a link to this program, in the directory of the desk. The name makes the role,
// since nobody else starts this program under it; no variable is needed, which could reach a worker.
const helperName = "deliveryboy-askpass"

const (
	socketName  = "desk"
	maxQuestion = 4 << 10
	maxAnswer   = 1023 // sudo takes no more
	promptly    = 10 * time.Second
)

// init is where a process becomes a helper: before the packages that use this one are initialised, because what they
// print would be part of the answer.
func init() {
	if Called(os.Args) {
		os.Exit(help(os.Args[0], os.Args[1]))
	}
	if terminalCalled(os.Args) {
		os.Exit(conduct(os.Args))
	}
}

// Called reports whether a program was started as a helper: under that name, by its full path, with one argument.
func Called(argv []string) bool {
	return len(argv) == 2 && filepath.IsAbs(argv[0]) && filepath.Base(argv[0]) == helperName && !strings.HasPrefix(argv[1], "__")
}

// help asks at the desk and prints the answer. Without one it fails, and sudo and ssh with it.
func help(name, question string) int {
	shut()
	answer, err := askAt(context.Background(), filepath.Dir(name), os.Getenv("SSH_ASKPASS_PROMPT"), question)
	defer clear(answer)
	if err == nil {
		_, err = os.Stdout.Write(answer)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "deliveryboy: %v\n", err)
		return 1
	}
	return 0
}

// askAt returns the answer, with the end of its line. When ctx ends, nobody needs it any more.
func askAt(ctx context.Context, dir, hint, question string) ([]byte, error) {
	if err := private(dir); err != nil {
		return nil, err
	}
	c, err := (&net.Dialer{Timeout: promptly}).DialContext(ctx, "unix", filepath.Join(dir, socketName))
	if err != nil {
		return nil, errors.New("nobody to ask for a password")
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := send(c, hint+"\x00"+question); err != nil {
		return nil, err
	}
	answer := make([]byte, 0, maxAnswer+2)
	for err = nil; err == nil && len(answer) < cap(answer)-1; {
		var n int
		n, err = c.Read(answer[len(answer) : cap(answer)-1])
		answer = answer[:len(answer)+n]
	}
	if !errors.Is(err, io.EOF) || len(answer) == 0 {
		return nil, errors.New("no password was given")
	}
	return append(answer, '\n'), nil
}

// send writes a text with its length.
func send(c net.Conn, text string) error {
	text = text[:min(len(text), maxQuestion)]
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...))
	return err
}

// receive is the other end of send.
func receive(c net.Conn) (string, error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return "", err
	}
	text := make([]byte, min(binary.BigEndian.Uint16(size[:]), maxQuestion))
	_, err := io.ReadFull(c, text)
	return string(text), err
}
