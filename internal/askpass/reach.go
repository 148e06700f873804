package askpass

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
)

// Reach starts a conversation with a relay, whose stdin and stdout these are. It returns the file of the helper there, an
// absolute path. Lines before the relay's first word are noise. The error is that of reading if there is no relay.
func Reach(in io.Reader, out io.Writer) (*Far, error) {
	f := &Far{lines: newLines(in, out), nonce: Nonce()}
	if err := f.lines.write(f.nonce); err != nil {
		return nil, err
	}
	words, err := f.next()
	if err != nil {
		return nil, err
	}
	if len(words) != 2 || words[0] != "helper" {
		return nil, errors.New("askpass: the relay speaks out of turn")
	}
	helper, err := decoded(words[1])
	if err != nil || !path.IsAbs(string(helper)) || path.Base(string(helper)) != helperName {
		return nil, fmt.Errorf("askpass: the relay has no helper: %.200q", helper)
	}
	f.Helper = string(helper)
	return f, nil
}

// Far is a relay, seen from here.
type Far struct {
	Helper string // the file of the helper on that host
	lines  lines
	nonce  string
}

// next returns the next line that is the relay's, without the nonce.
func (f *Far) next() ([]string, error) {
	for noise := 0; noise < 64<<10; {
		words, err := f.lines.read()
		if err != nil {
			return nil, err
		}
		if len(words) > 1 && words[0] == f.nonce {
			return words[1:], nil
		}
		noise++
		for _, w := range words {
			noise += len(w) + 1
		}
	}
	return nil, errors.New("askpass: too much noise, and no relay")
}

// Serve answers the relay's questions until reading fails, which is its end.
func (f *Far) Serve(ctx context.Context, answer Answerer) error {
	for {
		words, err := f.next()
		if err != nil {
			return err
		}
		if len(words) != 3 || words[0] != "ask" {
			return errors.New("askpass: the relay speaks out of turn")
		}
		hint, err1 := decoded(words[1])
		text, err2 := decoded(words[2])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		reply := []string{"none"}
		if got, err := answer(ctx, Question{Text: string(text), Hint: string(hint)}); err == nil {
			reply = []string{"answer", coded(got)}
			clear(got)
		}
		if err := f.lines.write(reply...); err != nil {
			return err
		}
	}
}
