package trampoline

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// errAstray says that this process is such a copy, and does not know it: each copy would start another one, without end.
var errAstray = errors.New("this process is one, and goes on as if it were not: its program does not call delivery.Main first")

// Start starts the program that the orders name, and returns when it runs. attr has its files, and what the system does at
// fork; Env and Dir of it do not count. An *Error says which step failed.
func Start(o *Orders, attr os.ProcAttr) (*os.Process, error) {
	if Asked(os.Args) {
		return nil, &Error{"copy of this program", errAstray}
	}
	text, err := o.encode()
	if err != nil {
		return nil, err
	}
	name, err := os.Executable()
	if err != nil {
		return nil, &Error{"copy of this program", err}
	}
	mine, its, err := socketpair()
	if err != nil {
		return nil, &Error{"socketpair", err}
	}
	defer mine.Close()
	attr.Files = append(attr.Files[:len(attr.Files):len(attr.Files)], its)
	attr.Env, attr.Dir = []string{}, ""
	p, err := os.StartProcess(program(name), []string{name, Verb, strconv.Itoa(len(attr.Files) - 1)}, &attr)
	its.Close()
	if err != nil {
		return nil, &Error{"copy of this program", err}
	}
	if err := talk(mine, text); err != nil {
		_ = p.Kill()
		_, _ = p.Wait()
		return nil, err
	}
	return p, nil
}

func (o *Orders) encode() ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	if err := gob.NewEncoder(&b).Encode(o); err != nil {
		return nil, &Error{"orders", err}
	}
	n := b.Len() - 4
	if n > maxOrders {
		return nil, &Error{"argv and environment", syscall.E2BIG}
	}
	binary.BigEndian.PutUint32(b.Bytes(), uint32(n))
	return b.Bytes(), nil
}

// talk gives a copy its orders. It closes the socket by becoming the program, or says what went wrong.
func talk(s io.ReadWriter, orders []byte) error {
	if _, err := s.Write(orders); err != nil {
		return &Error{"copy of this program", fmt.Errorf("it takes no orders: %w", err)}
	}
	answer, err := io.ReadAll(io.LimitReader(s, maxStep))
	switch {
	case err != nil && !errors.Is(err, syscall.ECONNRESET):
		return &Error{"copy of this program", err}
	case len(answer) == 0:
		return nil
	case len(answer) < 4:
		return &Error{"copy of this program", io.ErrUnexpectedEOF}
	}
	return &Error{string(answer[4:]), syscall.Errno(binary.BigEndian.Uint32(answer))}
}
