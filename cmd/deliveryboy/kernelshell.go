package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

func newKernelShell(t *terminal) *cobra.Command {
	o := kernel.Options{Console: true}
	cmd := &cobra.Command{
		Use:   "shell [flags] [COMMAND…]",
		Short: "Give the kernel commands",
		Long: `shell carries out a command of the kernel, or those that it reads, a line each: at a
terminal with history and completion, where help lists all commands, else up to the first
that fails.

At a terminal, a command that goes on, such as watch, waits after each part of its output
for the return key, or q to end it. Elsewhere it goes on by itself, to its end.`,
		Example: `  deliveryboy kernel shell
  deliveryboy kernel shell list processes 'web.*'
  deliveryboy kernel shell < commands`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withKernel(cmd.Context(), o, func(c *kernel.Client) error {
				ctx := cmd.Context()
				switch {
				case len(args) > 0:
					return t.carryOut(ctx, c, args)
				case plain.IsTerminal(t.in) && plain.IsTerminal(t.out):
					return t.converse(ctx, c)
				}
				return t.carryOutAll(ctx, c)
			})
		},
	}
	kernelFlag(cmd, &o)
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// carryOut carries out one command, and takes all that it has to say.
func (t *terminal) carryOut(ctx context.Context, c *kernel.Client, words []string) error {
	s, err := c.Stream(ctx, words...)
	if err != nil {
		return err
	}
	w, flush := passOn(t.out, false)
	for {
		part, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return flush()
		}
		if err != nil {
			return errors.Join(err, flush())
		}
		if _, err := io.WriteString(w, part); err != nil {
			return &outputError{err}
		}
		if !s.Ended() {
			if err := s.Send(); err != nil {
				return err
			}
		}
	}
}

// carryOutAll carries out the lines of stdin, up to the first that fails.
func (t *terminal) carryOutAll(ctx context.Context, c *kernel.Client) error {
	in := line.NewReader(t.in, nil)
	for number := 1; ; number++ {
		words, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(words) > 0 {
			if words[0] == "quit" {
				return nil
			}
			err = t.carryOut(ctx, c, words)
		}
		if err != nil {
			return fmt.Errorf("command %d: %w", number, err)
		}
	}
}

// A console is a terminal at which somebody talks to a kernel.
type console struct {
	*term.Terminal
	kernel *kernel.Client
	words  [][]string // of all commands
	past   past
}

// past is the history: commands, and not what was said to them. It is in memory alone, since values may be secrets.
type past struct {
	lines []string // the last one first
	deaf  bool     // what is typed is no command
}

// mostPast is how many commands are remembered.
const mostPast = 500

// Add remembers a line.
func (p *past) Add(text string) {
	if p.deaf || strings.TrimSpace(text) == "" || len(p.lines) > 0 && p.lines[0] == text {
		return
	}
	p.lines = append([]string{text}, p.lines[:min(len(p.lines), mostPast-1)]...)
}

// Len is how many lines there are.
func (p *past) Len() int { return len(p.lines) }

// At is a line; 0 is the last one.
func (p *past) At(n int) string { return p.lines[n] }

// converse reads commands at a terminal until its end.
func (t *terminal) converse(ctx context.Context, c *kernel.Client) error {
	fd := int(t.in.Fd())
	before, err := term.MakeRaw(fd)
	if err != nil {
		return fmt.Errorf("the terminal: %w", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	k := &console{kernel: c}
	k.Terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{bufio.NewReader(t.in), t.out}, kernel.Prompt)
	if width, height, err := term.GetSize(int(t.out.Fd())); err == nil && width > 0 && height > 0 {
		_ = k.SetSize(width, height)
	}
	k.History = &k.past
	k.AutoCompleteCallback = func(text string, at int, key rune) (string, int, bool) { return k.complete(ctx, text, at, key) }
	k.print(kernel.Banner)
	if err := k.learn(ctx); err != nil {
		return err
	}
	for {
		text, err := k.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		words, _, err := line.Split(text)
		switch {
		case err != nil:
		case len(words) == 0:
			continue
		case words[0] == "quit" || words[0] == "q" || words[0] == "exit":
			return nil
		default:
			err = k.carryOut(ctx, words)
		}
		if e := (*kernel.Error)(nil); errors.As(err, &e) {
			k.print("Error: " + e.Text + "\n")
		} else if err != nil {
			k.print("Error: " + err.Error() + "\n")
		}
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// print shows what may come from elsewhere.
func (k *console) print(text string) {
	_, _ = io.WriteString(k, plain.Text(text)) // a terminal that is gone ends ReadLine
}

// carryOut carries out a command, and asks after each part of its output how to go on.
func (k *console) carryOut(ctx context.Context, words []string) error {
	s, err := k.kernel.Stream(ctx, words...)
	if err != nil {
		return err
	}
	k.past.deaf = true
	defer func() {
		k.past.deaf = false
		k.SetPrompt(kernel.Prompt)
	}()
	for {
		part, err := s.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		k.print(part)
		if s.Ended() {
			continue
		}
		k.SetPrompt("] ")
		text, err := k.ReadLine()
		if err != nil {
			return errors.Join(err, s.Send("q"))
		}
		if err := s.Send(strings.Fields(text)...); err != nil {
			return err
		}
	}
}

// learn asks the kernel for its commands.
func (k *console) learn(ctx context.Context) error {
	text, err := k.kernel.Help(ctx)
	if err != nil {
		return err
	}
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, "  ") {
			continue
		}
		var words []string
		for _, w := range strings.Fields(l) {
			if strings.Trim(w, "abcdefghijklmnopqrstuvwxyz-") != "" || len(words) == 2 || strings.Contains(w, "|") {
				break
			}
			words = append(words, w)
		}
		if len(words) > 0 {
			k.words = append(k.words, words)
		}
	}
	return nil
}

// complete completes the last word before the cursor at a tab: a word of a command, or a name.
func (k *console) complete(ctx context.Context, text string, at int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	before := strings.Split(text[:at], " ")
	last := len(before) - 1
	start := before[last]
	var found []string
	for _, words := range k.words {
		if len(words) > last && slices.Equal(words[:last], before[:last]) && strings.HasPrefix(words[last], start) {
			found = append(found, words[last])
		}
	}
	if len(found) == 0 && last > 0 {
		found = k.names(ctx, before[:last], start)
	}
	if len(found) == 0 {
		return "", 0, false
	}
	add := common(found)[len(start):]
	if len(slices.Compact(slices.Sorted(slices.Values(found)))) == 1 {
		add += " "
	}
	return text[:at] + add + text[at:], at + len(add), true
}

// names are those that begin with a text, of what a command is about.
func (k *console) names(ctx context.Context, command []string, start string) []string {
	about := "values"
	for _, kind := range []string{"sockets", "processes", "values"} {
		if len(command) > 1 && strings.HasPrefix(kind, strings.TrimSuffix(command[1], "s")) {
			about = kind
		}
	}
	body, err := k.kernel.Do(ctx, "list", about, start+"*")
	if err != nil {
		return nil
	}
	var found []string
	for l := range strings.Lines(body) {
		if name, _, _ := strings.Cut(strings.TrimSpace(l), " "); name != "" {
			found = append(found, name)
		}
	}
	return found
}

// common is the longest beginning of all.
func common(list []string) string {
	start := list[0]
	for _, s := range list[1:] {
		for !strings.HasPrefix(s, start) {
			start = start[:len(start)-1]
		}
	}
	return start
}
