package password

import (
	"context"
	"slices"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
)

// A Memory keeps answers for a while, so that what starts several workers on one way asks once. It is safe for concurrent
// use. What is kept stays in this process's memory until Forget.
type Memory struct {
	ask    Ask
	target string
	hops   []string
	kept   *memories // shared by the memories of all targets
}

// memories are the answers by target.
type memories struct {
	mu       sync.Mutex
	answers  map[memory]box.Secret[string]
	recalled map[string]bool // by target: an answer was given from memory since the last Forget
}

// A memory is a question at a target: the same words mean another password where another host asks.
type memory struct {
	target string
	prompt Prompt // without its number
}

// Remember asks with ask what it does not know.
func Remember(ask Ask) *Memory {
	return &Memory{ask: ask, kept: &memories{answers: map[memory]box.Secret[string]{}, recalled: map[string]bool{}}}
}

// For is the memory for one target and the hops on the way there, in spec form. What two of them are called is not kept:
// their questions could not be told apart, and an answer must not go to another host.
func (m *Memory) For(target string, hops []string) *Memory {
	return &Memory{ask: m.ask, target: target, hops: hops, kept: m.kept}
}

// Ask is an Ask that remembers. An error is not kept.
func (m *Memory) Ask(ctx context.Context, p Prompt) (box.Secret[string], error) {
	if i := slices.Index(m.hops, p.Hop); i >= 0 && slices.Contains(m.hops[i+1:], p.Hop) {
		return m.ask(ctx, p)
	}
	key := memory{m.target, p}
	key.prompt.Number = 0
	if s, known := m.recall(key); known {
		return s, nil
	}
	s, err := m.ask(ctx, p)
	if err != nil {
		return s, err
	}
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	m.kept.answers[key] = box.NewSecret(s.Reveal())
	return s, nil
}

func (m *Memory) recall(key memory) (s box.Secret[string], known bool) {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	kept, known := m.kept.answers[key]
	if !known {
		return s, false
	}
	m.kept.recalled[m.target] = true
	return box.NewSecret(kept.Reveal()), true
}

// Forget drops what is kept for this target, and reports whether any of it was used: what was right once need not be so
// again, a code for instance.
func (m *Memory) Forget() bool {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	for key, s := range m.kept.answers {
		if key.target == m.target {
			s.Wipe()
			delete(m.kept.answers, key)
		}
	}
	used := m.kept.recalled[m.target]
	delete(m.kept.recalled, m.target)
	return used
}

// ForgetAll drops what is kept for all targets.
func (m *Memory) ForgetAll() {
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	for _, s := range m.kept.answers {
		s.Wipe()
	}
	clear(m.kept.answers)
	clear(m.kept.recalled)
}
