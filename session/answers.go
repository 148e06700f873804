package session

import (
	"strings"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/transport"
)

// answers are the passwords that a session keeps, to dial again without asking again. A nil one keeps none.
type answers struct {
	mu   sync.Mutex
	list map[question]box.Secret[string]
}

func (m *answers) recall(q question) (box.Secret[string], bool) {
	if m == nil {
		return box.Secret[string]{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.list[q]
	return s, ok
}

// forget wipes all of them.
func (m *answers) forget() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.list {
		s.Wipe()
	}
	m.list = nil
}

// keep keeps what the hops have taken. Of a hop that has asked more than one thing it keeps nothing: one of them may be
// a code that is good for once.
func (m *answers) keep(given map[question]box.Secret[string]) {
	if m == nil {
		return
	}
	count := map[int]int{}
	for q := range given {
		count[q.hop]++
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for q, s := range given {
		if _, there := m.list[q]; there || count[q.hop] > 1 {
			continue
		}
		if m.list == nil {
			m.list = map[question]box.Secret[string]{}
		}
		m.list[q] = box.NewSecret(s.Reveal()) // the other one may be the caller's, and stays as it is
	}
}

// connected says that the worker is there: what was answered was right.
func (a *asker) connected() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.options.answers.keep(a.given)
}

// explain adds to why no worker answered what is known about passwords.
func (a *asker) explain(err error) error {
	e, ok := err.(*box.TransportError) //nolint:errorlint // one that was made right before
	if a == nil || !ok {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.recalled {
		a.options.answers.forget()
	}
	switch {
	case a.failed >= 0:
		e.Hop, e.Reason, e.Err = a.hops[a.failed].String(), transport.ReasonPassword, a.err
	case a.wrong >= 0 && !strings.HasPrefix(e.Reason, transport.ReasonNotAllowed):
		e.Hop, e.Reason = a.hops[a.wrong].String(), transport.ReasonWrong+"; it was tried once"
	case strings.HasPrefix(e.Reason, transport.ReasonPassword) && a.took(e.Hop):
		e.Reason = transport.ReasonWrong + "; it was tried once"
	case strings.HasPrefix(e.Reason, transport.ReasonPassword):
		e.Reason += a.unasked()
	}
	return e
}

// took reports whether a hop has been given an answer.
func (a *asker) took(hop string) bool {
	for q := range a.given {
		if a.hops[q.hop].String() == hop {
			return true
		}
	}
	return false
}

// unasked says why a hop that needs a password may not have asked for it; nothing if all can.
func (a *asker) unasked() string {
	if len(a.hops) > 0 && transport.AsksAtTerminal(a.hops[0]) && a.helpers[0] == "" {
		return "; " + a.hops[0].String() + " asks at a terminal, and this program can make one on Linux only"
	}
	return ""
}

func (a *asker) hasAnswered() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.answered
}
