package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/internal/askpass"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// An asker answers what the hops ask on one way to a worker. No question is matched: whatever a program asks goes to
// Options.Ask as it is, and its answer back, by way of the helper that the program starts, or that has started it. A nil
// asker answers nothing.
type asker struct {
	options *Options
	hops    []transport.Transport
	eager   []bool   // the hops that are let ask, if they can
	helpers []string // of the hops, on their machines; "" for one that does not ask
	env     []string // of the process that is started here
	desk    *askpass.Desk
	relays  []*relay
	cancel  context.CancelFunc

	mu       sync.Mutex // guards what follows
	process  int        // how many have been started: each may ask a question once
	asked    map[question]int
	given    map[question]box.Secret[string]
	number   int  // of questions that were put to Options.Ask
	answered bool // a program has an answer
	recalled bool // one that was given to an earlier worker of the session
	wrong    int  // the hop that did not take its answer; -1 if none
	failed   int  // the hop that got none; -1 if none
	err      error
	since    time.Time // when the question that is open was put; zero if none is
	spent    time.Duration
}

// A question is what a hop asks.
type question struct {
	hop  int
	text string
}

// newAsker prepares for what the hops may ask. Close must follow, also after an error. An asker that was there before has
// been asked already; then more is another hop that has to ask.
func newAsker(ctx context.Context, o *Options, before *asker, more int) (*asker, error) {
	a := &asker{
		options: o, hops: transport.Hops(o.Via), wrong: -1, failed: -1,
		asked: map[question]int{}, given: map[question]box.Secret[string]{},
	}
	a.helpers, a.eager = make([]string, len(a.hops)), transport.Askable(o.Via)
	if before != nil {
		a.eager, a.process, a.asked, a.given = before.eager, before.process, before.asked, before.given
		a.number, a.spent, a.answered, a.recalled = before.number, before.spent, before.answered, before.recalled
		a.eager[more] = true
	}
	serving, stop := context.WithCancel(ctx)
	a.cancel = stop
	for i, can := range a.eager {
		var err error
		switch {
		case !can, i == 0 && transport.AsksAtTerminal(a.hops[0]) && !askpass.CanConduct:
		case i == 0:
			a.desk, err = askpass.Open(serving, a.answerer(0))
			if err == nil {
				a.helpers[0], a.env = a.helper(0, a.desk.Helper()), transport.AskEnvironment(a.desk.Helper())
			}
		default:
			err = a.relay(ctx, serving, i)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// start starts the transport, or what leads to a relay, and answers what it asks.
func (a *asker) start(ctx context.Context, via transport.Transport, argv []string) (*process, error) {
	if a == nil {
		return start(ctx, via, argv)
	}
	a.mu.Lock()
	a.process++
	first := a.process == 1
	a.mu.Unlock()
	if a.desk != nil && !first {
		a.desk.Expect()
	}
	if transport.DialerOf(via) != nil {
		answer := a.answerer(0)
		ctx = transport.WithAsk(ctx, func(ctx context.Context, text string) ([]byte, error) {
			return answer(ctx, askpass.Question{Text: text})
		})
	}
	p, err := start(ctx, via, argv, a.env...)
	if err == nil && a.desk != nil && p.cmd != nil {
		a.desk.Admit(p.cmd.Process.Pid)
	}
	return p, err
}

// via is the way to the worker, with hops that ask.
func (a *asker) via(o *Options) transport.Transport {
	if a == nil {
		return o.Via
	}
	return transport.Asking(o.Via, a.helpers)
}

// stop ends the questions that are open.
func (a *asker) stop() {
	if a != nil {
		a.cancel()
	}
}

// close takes everything away that was there for questions.
func (a *asker) close() {
	if a == nil {
		return
	}
	a.cancel()
	for _, r := range a.relays {
		r.end()
	}
	if a.desk != nil {
		a.desk.Close()
	}
}

// answerer answers the questions of one hop.
func (a *asker) answerer(hop int) askpass.Answerer {
	return func(ctx context.Context, q askpass.Question) ([]byte, error) {
		if !a.wantsSecret(hop, q) {
			return nil, errNotSecret
		}
		secret, err := a.find(ctx, question{hop, a.key(hop, q.Text)}, q.Text)
		if err != nil {
			return nil, err
		}
		return []byte(secret.Reveal()), nil
	}
}

var (
	errNotSecret = errors.New("not a question for a password")
	errAgain     = errors.New("the password is wrong")
	errTooMany   = fmt.Errorf("more than %d questions", maxQuestions)
)

// wantsSecret tells a question for a secret from the others that ssh asks: whether a host key is right, which no password
// answers, and whether somebody is there. ssh speaks English only.
func (a *asker) wantsSecret(hop int, q askpass.Question) bool {
	if _, ok := a.hops[hop].(transport.SSH); !ok {
		return true
	}
	return q.Hint == "" && !strings.Contains(q.Text, "(yes/no") && !strings.HasPrefix(q.Text, "Please type 'yes'")
}

// key is what makes a question of a hop the same one again: at a terminal, other lines may stand before it.
func (a *asker) key(hop int, text string) string {
	if transport.AsksAtTerminal(a.hops[hop]) {
		text = strings.TrimRight(text, "\r\n")
		return text[strings.LastIndexByte(text, '\n')+1:]
	}
	return text
}

// maxQuestions is how many may be put to whoever knows, on one way to a worker: those on the way could ask for ever.
const maxQuestions = 16

// find returns the answer to a question that this process has not asked before.
func (a *asker) find(ctx context.Context, q question, text string) (box.Secret[string], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked[q] == a.process {
		a.wrong = q.hop
		return box.Secret[string]{}, errAgain
	}
	if len(a.asked) >= maxQuestions {
		a.failed, a.err = q.hop, errTooMany
		return box.Secret[string]{}, errTooMany
	}
	a.asked[q] = a.process
	secret, known := a.given[q] // to the one that leads to a relay
	if !known {
		secret, known = a.options.answers.recall(q)
		a.recalled = a.recalled || known
	}
	if !known {
		var err error
		if secret, err = a.put(ctx, q.hop, text); err != nil {
			a.failed, a.err = q.hop, err
			return box.Secret[string]{}, err
		}
	}
	a.given[q], a.answered = secret, true
	return secret, nil
}

// put puts a question to whoever knows. It is called with the lock, and gives it up for that time.
func (a *asker) put(ctx context.Context, hop int, text string) (box.Secret[string], error) {
	a.number++
	p := password.Prompt{Hop: a.hops[hop].String(), Text: text, Number: a.number}
	a.since = time.Now()
	a.mu.Unlock()
	secret, err := a.options.Ask(ctx, p)
	a.mu.Lock()
	a.spent += time.Since(a.since)
	a.since = time.Time{}
	if err != nil {
		return secret, fmt.Errorf("nobody gave a password: %w", err)
	}
	return secret, checkAnswer(secret)
}

// checkAnswer refuses what no program would take as it is.
func checkAnswer(s box.Secret[string]) error {
	answer := []byte(s.Reveal())
	defer clear(answer)
	switch {
	case len(answer) == 0:
		return password.ErrNone
	case len(answer) > maxPassword:
		return fmt.Errorf("the password has more than %d bytes", maxPassword)
	case bytes.ContainsAny(answer, "\r\n\x00"):
		return errors.New("the password has more than one line, or a NUL")
	}
	return nil
}

const maxPassword = 1023

// waited is for how long somebody was asked, or is. That time is not the far side's.
func (a *asker) waited() time.Duration {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.since.IsZero() {
		return a.spent
	}
	return a.spent + time.Since(a.since)
}
