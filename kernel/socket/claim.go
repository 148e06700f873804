package socket

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// firstFile is the descriptor of a process that the first of its files has: after stdin, stdout and stderr.
const firstFile = 3

// maxFiles is how many sockets one process may get.
const maxFiles = 256

// A Claim is what a process gets of sockets: files, in the order of their descriptors from 3 on, and its arguments with the
// numbers in them.
type Claim struct {
	Args  []string
	Files []*os.File // close them when the process has started, with Close

	// Listen is how many of the files, from the first on, are meant by LISTEN_FDS, and Names are their names for
	// LISTEN_FDNAMES; see sd_listen_fds(3). LISTEN_PID has to be the process's own number, see Listening.
	Listen int
	Names  []string

	table *Table
	owner int
	has   map[string]int // the descriptor by name of the socket
}

// Close closes the files.
func (c *Claim) Close() {
	for _, f := range c.Files {
		f.Close()
	}
	c.Files = nil
}

// Env are the variables that tell a process of what it listens on; nil if that is nothing.
func (c *Claim) Env() []string {
	if c.Listen == 0 {
		return nil
	}
	return []string{"LISTEN_FDS=" + strconv.Itoa(c.Listen), "LISTEN_FDNAMES=" + strings.Join(c.Names, ":")}
}

// Claim gives a process of an owner the sockets that listen names, in that order, and those that its arguments speak of:
//
//	$(socket.NAME.fileno)   the number of the descriptor that the process has
//	$(socket.NAME.port)     the port
//
// These may stand anywhere in an argument, and several in one. $$(socket. is $(socket. in the end.
func (t *Table) Claim(owner int, listen, args []string) (*Claim, error) {
	c := &Claim{table: t, owner: owner, has: map[string]int{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	err := c.fill(listen, args)
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Claim) fill(listen, args []string) error {
	for _, n := range listen {
		if _, twice := c.has[n]; twice {
			return kernel.Errorf(kernel.Usage, "listen: socket %s is there twice", line.Quote(n))
		}
		if _, err := c.file(n); err != nil {
			return err
		}
		c.Names = append(c.Names, strings.ReplaceAll(n, ":", "_")) // a colon separates
	}
	c.Listen = len(listen)
	for _, a := range args {
		full, err := c.expand(a)
		if err != nil {
			return err
		}
		c.Args = append(c.Args, full)
	}
	return nil
}

const opening = "$(socket."

// expand puts numbers into one argument.
func (c *Claim) expand(arg string) (string, error) {
	var b strings.Builder
	for at := 0; ; {
		n := strings.Index(arg[at:], opening)
		if n < 0 {
			b.WriteString(arg[at:])
			return b.String(), nil
		}
		if n > 0 && arg[at+n-1] == '$' {
			b.WriteString(arg[at:at+n-1] + opening)
			at += n + len(opening)
			continue
		}
		b.WriteString(arg[at : at+n])
		start := at + n
		inside, _, closed := strings.Cut(arg[start+len(opening):], ")")
		if !closed {
			return "", kernel.Errorf(kernel.Usage, "Missing ) in %s: column %d begins a socket reference", shown(arg), start+1)
		}
		text, err := c.lookUp(inside, start+1)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		at = start + len(opening) + len(inside) + 1
	}
}

// lookUp is what NAME.fileno or NAME.port stands for.
func (c *Claim) lookUp(inside string, column int) (string, error) {
	dot := strings.LastIndexByte(inside, '.')
	if dot < 0 {
		return "", kernel.Errorf(kernel.Usage, "Bad socket reference at column %d: $(socket.%s) must end with .fileno or .port", column, shown(inside))
	}
	text, part := inside[:dot], inside[dot+1:]
	switch part {
	case "port":
		s, err := c.socket(text)
		if err != nil {
			return "", err
		}
		if s.Spec.Family == "unix" {
			return "", kernel.Errorf(kernel.Usage, "Socket %s has no port: it is a unix socket", text)
		}
		if s.Spec.Type == "raw" {
			return "", kernel.Errorf(kernel.Usage, "Socket %s has no port: it is a raw socket", text)
		}
		return strconv.Itoa(s.Port), nil
	case "fileno":
		n, err := c.file(text)
		return strconv.Itoa(n), err
	}
	return "", kernel.Errorf(kernel.Usage, "Bad socket reference at column %d: $(socket.%s) must end with .fileno or .port", column, shown(inside))
}

func (c *Claim) socket(text string) (*Socket, error) {
	if name.Check("socket", text) == nil {
		if s := c.table.sockets[key{c.owner, text}]; s != nil {
			return s, nil
		}
	}
	return nil, kernel.Errorf(kernel.NotFound, "Socket %s not found", shown(text))
}

// file gives the process a socket, once, and returns the number that it has there.
func (c *Claim) file(text string) (int, error) {
	if n, ok := c.has[text]; ok {
		return n, nil
	}
	s, err := c.socket(text)
	if err != nil {
		return 0, err
	}
	if len(c.Files) >= maxFiles {
		return 0, kernel.Errorf(kernel.Limit, "A process may get %d sockets", maxFiles)
	}
	var f *os.File
	if s.Spec.Reuseport {
		f, err = s.own()
	} else {
		f, err = duplicate(s.file)
	}
	if err != nil {
		return 0, err
	}
	c.Files = append(c.Files, f)
	n := firstFile + len(c.Files) - 1
	c.has[text] = n
	return n, nil
}

// shown is a word in an error.
func shown(text string) string {
	if len(text) > 80 {
		return fmt.Sprintf("%s…", line.Visible(text[:80]))
	}
	return line.Visible(text)
}
