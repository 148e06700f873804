package xssh

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/seed354a1416/deliveryboy/transport"
)

// maxPrompts is how many questions a host may ask in one login.
const maxPrompts = 16

// A login is how this user says who they are to one host: each way is tried once.
type login struct {
	ways     []ssh.AuthMethod
	problems []error // with keys
	failed   error   // of an answer, which the host hears nothing of
	asked    bool
	done     func()
}

// login prepares what may be needed.
func (p *place) login(ctx context.Context) (*login, error) {
	l := &login{done: func() {}}
	if p.keys {
		var signers []ssh.Signer
		if signers, l.done, l.problems = p.signers(ctx); len(signers) > 0 {
			l.ways = append(l.ways, ssh.PublicKeys(signers...))
		}
	}
	if transport.Asks(ctx) {
		if p.dialogue {
			l.ways = append(l.ways, ssh.KeyboardInteractive(func(_, instruction string, questions []string, _ []bool) ([]string, error) {
				return p.answer(ctx, l, instruction, questions)
			}))
		}
		if p.password {
			l.ways = append(l.ways, ssh.PasswordCallback(func() (string, error) {
				host := p.host
				return l.ask(ctx, fmt.Sprintf("%s@%s's password: ", p.user, host))
			}))
		}
	}
	if len(l.ways) == 0 {
		l.done()
		return nil, fmt.Errorf("%w: there is none: %w", ErrAuth, errors.Join(append(l.problems, errors.New("no agent and no key file that can be read"))...))
	}
	return l, nil
}

// answer answers the questions of one round.
func (p *place) answer(ctx context.Context, l *login, instruction string, questions []string) ([]string, error) {
	if len(questions) > maxPrompts {
		return nil, fmt.Errorf("the host asks %d questions at once; at most %d are answered", len(questions), maxPrompts)
	}
	if instruction != "" {
		instruction = clean(instruction) + "\n"
	}
	answers := make([]string, len(questions))
	for i, q := range questions {
		var err error
		if answers[i], err = l.ask(ctx, fmt.Sprintf("%s(%s@%s) %s", instruction, p.user, p.host, clean(q))); err != nil {
			return nil, err
		}
	}
	return answers, nil
}

func (l *login) ask(ctx context.Context, text string) (string, error) {
	secret, err := transport.Ask(ctx, text)
	if err != nil {
		l.failed = err
		return "", err
	}
	l.asked = true
	defer clear(secret)
	return string(secret), nil
}

// clean takes control characters out of what a host says, and the end of what is too long.
func clean(text string) string {
	out := []rune(text)
	for i, r := range out {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			out[i] = '?'
		}
	}
	return string(out[:min(len(out), 1024)])
}

// explain is the error of a login that the host did not take.
func (l *login) explain(p *place, err error) error {
	all := append([]error{err}, l.problems...)
	if l.failed != nil {
		all = append([]error{l.failed}, all...)
	} else if l.asked {
		all = append([]error{errors.New("the answer is wrong, it was tried once; check also user and host")}, all...)
	}
	return fmt.Errorf("%w: user %s: %w", ErrAuth, p.user, errors.Join(all...))
}
