package kernel

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// A Value is one of those that a kernel keeps.
type Value struct {
	Name    string
	Data    string    // any bytes
	Expires time.Time // zero is never
}

// A Change says how a value is set. Zero is for good, and without a wait for the disk.
type Change struct {
	TTL time.Duration // after which the value is gone; 0 is never

	// Sync returns when the value would survive a crash of the machine. Without, that is so a second later; a death of the
	// kernel it survives in any case.
	Sync bool
}

func (c Change) words() []string {
	var list []string
	if c.TTL != 0 {
		list = append(list, "ttl="+c.TTL.String())
	}
	if c.Sync {
		list = append(list, "sync=yes")
	}
	return list
}

// Set sets a value, of at most 4 MiB; an empty one is cleared.
func (c *Client) Set(ctx context.Context, name, data string) error {
	_, err := c.do(ctx, true, "set", name, data)
	return err
}

// SetAs is Set with a Change.
func (c *Client) SetAs(ctx context.Context, name, data string, how Change) error {
	_, err := c.do(ctx, true, append(append([]string{"set"}, how.words()...), name, data)...)
	return err
}

// Get returns a value, empty if there is none.
func (c *Client) Get(ctx context.Context, name string) (string, error) {
	return c.do(ctx, true, "get", name)
}

// CompareAndSet sets a value if it is the old one, and reports whether it did. An empty old one means that there must be
// none, an empty new one clears it. After ErrLost it may have been set.
func (c *Client) CompareAndSet(ctx context.Context, name, old, data string, how Change) (bool, error) {
	body, err := c.do(ctx, false, append(append([]string{"cas"}, how.words()...), name, old, data)...)
	return body == "yes\n", err
}

// Values returns the values whose names match, by name. A pattern is a name, or the beginning of names and a star; no
// patterns match all.
func (c *Client) Values(ctx context.Context, patterns ...string) ([]Value, error) {
	body, err := c.do(ctx, true, append([]string{"list", "values"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var list []Value
	err = eachLine(body, func(words []string) error {
		if len(words) < 2 {
			return fmt.Errorf("kernel: %q is no value", words)
		}
		v := Value{Name: words[0], Data: words[1]}
		if len(words) > 2 {
			n, err := strconv.ParseInt(strings.TrimPrefix(words[2], "expires="), 10, 64)
			if err != nil {
				return fmt.Errorf("kernel: %q is no value", words)
			}
			v.Expires = time.Unix(n, 0)
		}
		list = append(list, v)
		return nil
	})
	return list, err
}

// RemoveValues clears the values whose names match. Names that are not there are no error; no patterns, and "*", are.
func (c *Client) RemoveValues(ctx context.Context, patterns ...string) error {
	_, err := c.do(ctx, true, append([]string{"remove", "values"}, patterns...)...)
	return err
}

// eachLine splits a reply.
func eachLine(body string, do func(words []string) error) error {
	for text := range strings.Lines(body) {
		words, _, err := line.Split(strings.TrimSuffix(text, "\n"))
		if err == nil && len(words) > 0 {
			err = do(words)
		}
		if err != nil {
			return fmt.Errorf("kernel: it answers %.80q: %w", text, err)
		}
	}
	return nil
}
