package deploy

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

const (
	tail     = "====="
	maxNoise = 64 << 10 // of one line, before some of it is passed on
	maxLine  = 8 << 10  // of one of the script's
)

// lines finds the script's lines in what a far side prints: "=====DEPLOY NONCE word rest=====". All else is noise, also
// what stands before one on its line.
type lines struct {
	from  *bufio.Reader
	start []byte
	noise io.Writer
}

func newLines(r io.Reader, start string, noise io.Writer) *lines {
	return &lines{from: bufio.NewReaderSize(r, 4096), start: []byte(start), noise: noise}
}

// next returns the next line's first word, and the rest.
func (l *lines) next() (word, rest string, err error) {
	var line []byte
	for {
		more, err := l.from.ReadSlice('\n')
		line = append(line, more...)
		if err == bufio.ErrBufferFull {
			if keep := len(line) - maxLine; keep > maxNoise {
				l.pass(line[:keep])
				line = append(line[:0], line[keep:]...)
			}
			continue
		}
		if err != nil {
			l.pass(line)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return "", "", err
		}
		if text, ok := l.find(line); ok {
			word, rest, _ = strings.Cut(text, " ")
			return word, rest, nil
		}
		l.pass(line)
		line = line[:0]
	}
}

// find looks for one of the script's lines, and passes on what stands before it.
func (l *lines) find(line []byte) (string, bool) {
	at := bytes.LastIndex(line, l.start)
	if at < 0 {
		return "", false
	}
	text, ok := bytes.CutSuffix(bytes.TrimRight(line[at+len(l.start):], "\r\n"), []byte(tail))
	if ok {
		l.pass(line[:at])
	}
	return string(text), ok
}

// giveBack passes on what was read and is not the script's: the program says nothing before it is spoken to.
func (l *lines) giveBack() {
	rest, _ := l.from.Peek(l.from.Buffered())
	l.pass(rest)
}

func (l *lines) pass(b []byte) {
	if len(b) > 0 && l.noise != nil {
		_, _ = l.noise.Write(b)
	}
}
