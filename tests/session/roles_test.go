package session

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// playRole is this program in another part: SESSION_ROLE has its words.
func playRole(role string) int {
	st = stage.Enter(stage.Options{})
	words := strings.Split(role, ":")
	switch words[0] {
	case "caller":
		return playCaller(words[1], words[2])
	case "partition":
		return playPartition(words[1], words[2])
	case "debug":
		return playDebug()
	case "hostile":
		return playHostile(words[1])
	}
	fmt.Println("no role is called", role)
	return 2
}

// playArgs is this program as a part of a transport.
func playArgs(args []string) {
	if len(args) > 3 && args[0] == noiseVerb {
		os.Exit(playNoise(args[1], args[2], args[3:]))
	}
}

// play is a command that runs this program in another role.
func play(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), st.Binary)
	cmd.Env = append(append(os.Environ(), "SESSION_ROLE="+role), env...)
	return cmd
}

// courier is a warm or a one-shot courier to a target.
func courier(kind string, tg target) (box.Courier, error) {
	if kind == "once" {
		return delivery.Once{Via: tg.via}, nil
	}
	return delivery.Open(context.Background(), tg.via)
}

// playCaller is the caller that is going to be killed.
func playCaller(kind, name string) int {
	c, err := courier(kind, targetNamed(name))
	if err == nil {
		err = stubborn.On(c)(context.Background(), func() error { fmt.Println("running"); return nil })
	}
	fmt.Println("ended", err)
	return 1
}

// playPartition makes one call from the caller's place of the network, and says when it ended.
func playPartition(name, seconds string) int {
	pause, err := time.ParseDuration(seconds)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	far := transport.SSH{Host: os.Getenv("SESSION_HOST"), User: st.User, ConfigFile: os.Getenv("SESSION_CONFIG"), NoShare: true}
	var via transport.Transport = far
	if name == "ssh then sudo" {
		via = transport.Chain{far, transport.Sudo{}}
	}
	s, err := delivery.Open(context.Background(), via, session.Options{Stderr: os.Stderr})
	if err != nil {
		fmt.Printf("open: %+v\n", err)
		return 1
	}
	me, err := whoami.On(s)()
	if err != nil {
		fmt.Printf("%+v\n", err)
		return 1
	}
	n, err := count.On(s)(context.Background(), pause, func() error { fmt.Println("running", me.PID); return nil })
	fmt.Println("ended", time.Now().UnixNano(), n, err)
	begin := time.Now()
	closed := s.Close()
	fmt.Println("closed", time.Since(begin), closed)
	return 0
}

// line reads the next line of a role, and wants it to begin with a word.
func line(t *testing.T, r *bufio.Reader, word string) string {
	t.Helper()
	type result struct {
		text string
		err  error
	}
	c := make(chan result, 1)
	go func() {
		text, err := r.ReadString('\n')
		c <- result{text, err}
	}()
	got := arrives(t, "the line "+word, c)
	if got.err != nil || !strings.HasPrefix(got.text, word) {
		rest, _ := r.ReadString(0)
		t.Fatalf("the role said %q%s, %v; want %s", got.text, rest, got.err, word)
	}
	return strings.TrimSpace(got.text)
}
