// Package hush keeps a log short while somebody causes the same lines again and again: what anybody can cause as often as they
// like must neither fill a disk nor hide what else is there.
package hush

import (
	"log/slog"
	"sync"
	"time"
)

const (
	defaultLines = 5
	defaultSpan  = time.Second
	maxPeers     = 1 << 10 // at once; the others count as one
)

// A Hush lets a few lines of the log pass for each peer, and counts the others. Log is needed; [Hush.End] is to be called.
type Hush struct {
	Log   *slog.Logger  // is told how many were left out
	Lines int           // that pass for each peer within Span; 0: 5
	Span  time.Duration // 0: 1s

	timers sync.WaitGroup

	mu    sync.Mutex // guards peers
	peers map[string]*spell
}

// A spell is what a peer causes within the span.
type spell struct {
	lines int
	timer *time.Timer
}

// Warn writes a line, unless there were enough of this peer.
func (h *Hush) Warn(peer string, log *slog.Logger, msg string, args ...any) {
	if h.admit(peer) {
		log.Warn(msg, args...)
	}
}

func (h *Hush) lines() int {
	if h.Lines > 0 {
		return h.Lines
	}
	return defaultLines
}

func (h *Hush) span() time.Duration {
	if h.Span > 0 {
		return h.Span
	}
	return defaultSpan
}

// admit counts a line, and reports whether it is to be written.
func (h *Hush) admit(peer string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peers == nil {
		h.peers = map[string]*spell{}
	}
	if h.peers[peer] == nil && len(h.peers) >= maxPeers {
		peer = "others"
	}
	p := h.peers[peer]
	if p == nil {
		p = &spell{}
		h.peers[peer] = p
		h.timers.Add(1)
		p.timer = time.AfterFunc(h.span(), func() {
			defer h.timers.Done()
			h.over(peer)
		})
	}
	p.lines++
	return p.lines <= h.lines()
}

// over ends a spell, and tells what was left out.
func (h *Hush) over(peer string) {
	h.mu.Lock()
	p := h.peers[peer]
	delete(h.peers, peer)
	h.mu.Unlock()
	if p != nil && p.lines > h.lines() {
		h.Log.Warn("more of these", "peer", peer, "left out", p.lines-h.lines())
	}
}

// End ends all spells, and tells what was left out. Nothing may come any more.
func (h *Hush) End() {
	h.mu.Lock()
	var whose []string
	for peer, p := range h.peers {
		if p.timer.Stop() {
			h.timers.Done()
			whose = append(whose, peer)
		}
	}
	h.mu.Unlock()
	for _, peer := range whose {
		h.over(peer)
	}
	h.timers.Wait()
}
