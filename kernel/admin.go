package kernel

import (
	"context"
	"errors"
	"strings"
)

// Status is what a kernel is, and how much it keeps, by key: "pid", "uid", "uptime", "sockets", "values" … Counts are of all
// users.
func (c *Client) Status(ctx context.Context) (map[string]string, error) {
	body, err := c.do(ctx, true, "status")
	if err != nil {
		return nil, err
	}
	facts := map[string]string{}
	err = eachLine(body, func(words []string) error {
		key, value, _ := strings.Cut(words[0], "=")
		facts[key] = value
		return nil
	})
	return facts, err
}

// ExitIfIdle ends the kernel if it keeps nothing, and reports whether it will. It ends when this connection does, so that is
// closed; somebody who connects at the same moment keeps the kernel.
func (c *Client) ExitIfIdle(ctx context.Context) (bool, error) {
	_, err := c.do(ctx, false, "exit-if-idle")
	switch {
	case errors.Is(err, ErrUnavailable):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, c.Close()
}

// Help is what the kernel says about its commands, or about one.
func (c *Client) Help(ctx context.Context, command ...string) (string, error) {
	return c.do(ctx, true, append([]string{"help"}, command...)...)
}
