// Package play runs the test binary once more, as a server in a process of its own, and reads its log.
package play

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a server may take to say something: longer than any machine is busy.
const patience = 3 * time.Minute

// A Server is one in another process. It is killed at the end of its test, if it has not ended.
type Server struct {
	Cmd *exec.Cmd
	Log <-chan string // its lines; a server does not wait for whoever reads them
}

// Start starts a server whose log is its stdout.
func Start(t *testing.T, cmd *exec.Cmd) *Server {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines, read := make(chan string, 1<<14), make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-read
	})
	go func() {
		defer close(read)
		defer close(lines)
		for from := bufio.NewReader(out); ; {
			line, err := from.ReadString('\n')
			if err != nil {
				return
			}
			select {
			case lines <- line:
			default:
			}
		}
	}()
	return &Server{cmd, lines}
}

// Wait reads the log up to a line with all the words, and returns that.
func (s *Server) Wait(t *testing.T, words ...string) string {
	t.Helper()
	return s.WaitFor(t, strings.Join(words, ", "), func(line string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
	})
}

// WaitFor reads the log up to a line that is the one, and returns that.
func (s *Server) WaitFor(t *testing.T, what string, is func(line string) bool) string {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case line, more := <-s.Log:
			switch {
			case !more:
				t.Fatalf("the server's log ended before %q", what)
			case is(line):
				return line
			}
		case <-limit:
			t.Fatalf("the server does not say %q", what)
		}
	}
}

// Rest is the log up to the end of the server.
func (s *Server) Rest() string {
	var b strings.Builder
	for line := range s.Log {
		b.WriteString(line)
	}
	return b.String()
}

// Term ends the server, and wants it to end well.
func (s *Server) Term(t *testing.T) {
	t.Helper()
	if err := s.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.Wait(t, "msg=ended", "socket=")
	if err := s.Cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Socket is a path in a directory that is not there yet, and that others may reach.
func Socket(t *testing.T, name string) string {
	t.Helper()
	top, err := os.MkdirTemp("/tmp", "play")
	if err == nil {
		err = os.Chmod(top, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	return filepath.Join(top, "run", name)
}
