package askpass

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// A relay is a desk on another host, for the sudo or ssh that runs there: a copy of this program that an ssh of its own
// starts as the user of that host. It passes each question to the process that started it, and the answer back, in lines:
//
//	→ NONCE                            so that no other line is taken for one of these
//	← NONCE helper BASE64              the file of the helper
//	← NONCE ask BASE64 BASE64          hint and text of a question
//	→ answer BASE64, or: none
//
// It ends, and takes the desk away, when its stdin does.

// Verb is the first and only argument of a relay.
const Verb = "__ask"

// Asked reports whether a program's arguments ask it to be a relay.
func Asked(argv []string) bool { return len(argv) == 2 && argv[1] == Verb }

const (
	maxNonce = 64
	maxWire  = 4 * maxQuestion // a line of either side, with base64
)

// Main plays the relay and exits.
func Main() {
	shut()
	if err := relay(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "deliveryboy: password relay: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// lines is what both ends of the line protocol do.
type lines struct {
	in  *bufio.Reader
	out io.Writer
}

func newLines(in io.Reader, out io.Writer) lines {
	return lines{bufio.NewReaderSize(in, maxWire), out}
}

// read returns the words of the next line.
func (l lines) read() ([]string, error) {
	line, err := l.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(line))
	clear(line)
	return words, nil
}

// write writes words as a line.
func (l lines) write(words ...string) error {
	_, err := io.WriteString(l.out, strings.Join(words, " ")+"\n")
	return err
}

func coded[T string | []byte](text T) string {
	return "=" + base64.StdEncoding.EncodeToString([]byte(text))
}

func decoded(word string) ([]byte, error) {
	rest, ok := strings.CutPrefix(word, "=")
	if !ok {
		return nil, errors.New("a word is not encoded")
	}
	return base64.StdEncoding.DecodeString(rest)
}

func relay(in io.Reader, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l := newLines(in, out)
	words, err := l.read()
	if err != nil || len(words) != 1 || len(words[0]) > maxNonce {
		return errors.New("this is not for people: no nonce on stdin")
	}
	nonce := words[0]
	var turn sync.Mutex // one question at a time
	answers := make(chan []string)
	d, err := Open(ctx, func(ctx context.Context, q Question) ([]byte, error) {
		turn.Lock()
		defer turn.Unlock()
		if err := l.write(nonce, "ask", coded(q.Hint), coded(q.Text)); err != nil {
			return nil, err
		}
		select {
		case words := <-answers:
			return answerOf(words)
		case <-ctx.Done(): // a late answer would be taken for that of the next question
			stop()
			return nil, ctx.Err()
		}
	})
	if err != nil {
		return err
	}
	defer d.Close()
	d.Admit(0) // which process will ask is not known here
	if err := l.write(nonce, "helper", coded(d.Helper())); err != nil {
		return err
	}
	go l.deliver(ctx, answers, stop) // ends with stdin, or with the process
	<-ctx.Done()
	return nil
}

// deliver hands on the answers that come, until there are no more.
func (l lines) deliver(ctx context.Context, answers chan<- []string, stop func()) {
	defer stop()
	for {
		words, err := l.read()
		if err != nil {
			return
		}
		select {
		case answers <- words:
		case <-ctx.Done():
			return
		}
	}
}

func answerOf(words []string) ([]byte, error) {
	if len(words) != 2 || words[0] != "answer" {
		return nil, errors.New("no password was given")
	}
	return decoded(words[1])
}

// Nonce returns a word for a relay.
func Nonce() string { return rand.Text() }
