package kernel

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// A Socket is one of those that a kernel keeps.
type Socket struct {
	Name string
	SocketSpec
	Fileno int // the kernel's descriptor; -1 with Reuseport
}

// MakeSocket has the kernel make a socket, or returns the one that has this name if it was made with the same spec. Host and
// Port of the result are those that it has.
func (c *Client) MakeSocket(ctx context.Context, name string, spec SocketSpec) (Socket, error) {
	body, err := c.do(ctx, true, append([]string{"make", "socket", name}, spec.Words()...)...)
	if err != nil {
		return Socket{}, err
	}
	list, err := parseSockets(body)
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("kernel: it answers %.80q to make socket", body)
	}
	if err != nil {
		return Socket{}, err
	}
	return list[0], nil
}

// Sockets returns the sockets that are meant, by name: by names, by beginnings of names with a star, or by numbers of the
// kernel's descriptors; no patterns mean all.
func (c *Client) Sockets(ctx context.Context, patterns ...string) ([]Socket, error) {
	body, err := c.do(ctx, true, append([]string{"list", "sockets"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	return parseSockets(body)
}

// RemoveSockets closes sockets. Processes that have them keep them. A name that is not there is ErrNotFound, and then
// nothing is removed; "*" is all, and no pattern is an error.
func (c *Client) RemoveSockets(ctx context.Context, patterns ...string) error {
	_, err := c.do(ctx, false, append([]string{"remove", "sockets"}, patterns...)...)
	return err
}

func parseSockets(body string) ([]Socket, error) {
	var list []Socket
	err := eachLine(body, func(words []string) error {
		options := map[string]string{}
		for _, w := range words[1:] {
			key, value, ok := strings.Cut(w, "=")
			if !ok {
				return fmt.Errorf("%q is no option", w)
			}
			options[key] = value
		}
		spec, err := ParseSocketSpec(options)
		if err != nil {
			return err
		}
		s := Socket{Name: words[0], SocketSpec: spec, Fileno: -1}
		if text, ok := options["fileno"]; ok {
			if s.Fileno, err = strconv.Atoi(text); err != nil {
				return err
			}
		}
		list = append(list, s)
		return nil
	})
	return list, err
}
