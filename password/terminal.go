package password

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/box"
)

// oneTerminal makes questions at the terminal wait for each other, whoever asks.
var oneTerminal = make(chan struct{}, 1)

// Terminal asks the person at this process's terminal, /dev/tty, wherever stdin and stdout lead. What is typed does not
// show. Backspace, Ctrl-U and Ctrl-W mend it; Ctrl-D at the beginning means that there is no password (ErrNone); Ctrl-C
// ends this process with SIGINT as usual, unless it handles that signal: then the error is ErrInterrupted. Without a
// terminal the error says so.
func Terminal() Ask {
	return func(ctx context.Context, p Prompt) (box.Secret[string], error) {
		select {
		case oneTerminal <- struct{}{}:
		case <-ctx.Done():
			return box.Secret[string]{}, ctx.Err()
		}
		defer func() { <-oneTerminal }()
		// Without blocking, so that the end of ctx can end a read.
		tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
		if err != nil {
			return box.Secret[string]{}, fmt.Errorf("password: no terminal to ask at: %w", err)
		}
		defer tty.Close()
		return askAt(ctx, tty, p)
	}
}

// ErrInterrupted means that Ctrl-C was pressed instead of an answer.
var ErrInterrupted = errors.New("password: interrupted")

// askAt asks at a terminal that is not blocking.
func askAt(ctx context.Context, tty *os.File, p Prompt) (box.Secret[string], error) {
	restore, err := quiet(tty)
	if err != nil {
		return box.Secret[string]{}, fmt.Errorf("password: terminal: %w", err)
	}
	defer restore()
	stop := endReads(ctx, tty)
	defer stop()
	fmt.Fprintf(tty, "[%s] %s", visible(p.Hop), question(p.Text))
	line, err := typed(tty)
	defer clear(line[:cap(line)])
	fmt.Fprint(tty, "\r\n")
	switch {
	case ctx.Err() != nil:
		return box.Secret[string]{}, ctx.Err()
	case errors.Is(err, ErrInterrupted):
		restore() // before the signal, which may end this process
		_ = syscall.Kill(os.Getpid(), syscall.SIGINT)
		return box.Secret[string]{}, err
	case err != nil:
		return box.Secret[string]{}, err
	}
	return box.NewSecret(string(line)), nil
}

// quiet stops the terminal from showing and from handling what is typed; restore undoes that, once.
func quiet(tty *os.File) (restore func(), err error) {
	raw, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	var before *unix.Termios
	set := func(to unix.Termios) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = unix.IoctlSetTermios(int(fd), setTermios, &to) })
		return errors.Join(err, failed)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { before, failed = unix.IoctlGetTermios(int(fd), getTermios) }); err != nil || failed != nil {
		return nil, errors.Join(err, failed)
	}
	silent := *before
	silent.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	silent.Iflag |= unix.ICRNL
	silent.Cc[unix.VMIN], silent.Cc[unix.VTIME] = 1, 0
	if err := set(silent); err != nil {
		return nil, err
	}
	var once sync.Once
	return func() { once.Do(func() { _ = set(*before) }) }, nil
}

// The keys that mean something.
const (
	ctrlC, ctrlD, ctrlH, ctrlU, ctrlW, del = 3, 4, 8, 21, 23, 127
)

// typed reads a line as it is typed. The slice has all its room from the beginning, so that it can be cleared.
func typed(tty *os.File) ([]byte, error) {
	line, key := make([]byte, 0, maxLine), make([]byte, 1)
	for {
		if _, err := tty.Read(key); err != nil {
			return line, fmt.Errorf("password: terminal: %w", err)
		}
		switch c := key[0]; {
		case c == '\n' || c == '\r' || c == ctrlD && len(line) > 0:
			return line, nil
		case c == ctrlD:
			return line, ErrNone
		case c == ctrlC:
			return line, ErrInterrupted
		case c == ctrlU || c == ctrlW:
			line = line[:0]
		case c == ctrlH || c == del:
			_, size := utf8.DecodeLastRune(line)
			line = line[:len(line)-size]
		case c < ' ':
		case len(line) == cap(line):
			return line, fmt.Errorf("password: more than %d bytes", maxLine)
		default:
			line = append(line, c)
		}
	}
}

// question is a prompt as it is shown: the last line ends with a blank.
func question(text string) string {
	if text = strings.TrimSpace(text); text == "" {
		text = "Password:"
	}
	return strings.ReplaceAll(visible(text), "\n", "\r\n") + " "
}

// visible shows control characters by number, since the words may be another host's; line breaks stay.
func visible(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\x%02x", r)
		}
	}
	return b.String()
}
