package server

import (
	"log/slog"
	"sync"
	"time"
)

const (
	hushFor   = time.Second
	hushLines = 5       // within that time, for each peer
	hushPeers = 1 << 10 // at once; the others count as one
)

// A hush lets a few lines of the log pass for each peer, and counts the others: what anybody can cause as often as they like
// must neither fill a disk nor hide what else is there.
type hush struct {
	log    *slog.Logger
	timers sync.WaitGroup

	mu    sync.Mutex // guards peers
	peers map[string]*spell
}

// A spell is what a peer causes within hushFor.
type spell struct {
	lines int
	timer *time.Timer
}

// warn writes a line, unless there were enough of this peer.
func (h *hush) warn(who string, log *slog.Logger, msg string, args ...any) {
	if h.admit(who) {
		log.Warn(msg, args...)
	}
}

// admit counts a line, and reports whether it is to be written.
func (h *hush) admit(who string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peers == nil {
		h.peers = map[string]*spell{}
	}
	if h.peers[who] == nil && len(h.peers) >= hushPeers {
		who = "others"
	}
	p := h.peers[who]
	if p == nil {
		p = &spell{}
		h.peers[who] = p
		h.timers.Add(1)
		p.timer = time.AfterFunc(hushFor, func() {
			defer h.timers.Done()
			h.over(who)
		})
	}
	p.lines++
	return p.lines <= hushLines
}

// over ends a spell, and tells what was left out.
func (h *hush) over(who string) {
	h.mu.Lock()
	p := h.peers[who]
	delete(h.peers, who)
	h.mu.Unlock()
	if p != nil && p.lines > hushLines {
		h.log.Warn("more of these", "peer", who, "left out", p.lines-hushLines)
	}
}

// end ends all spells. Nothing may come any more.
func (h *hush) end() {
	h.mu.Lock()
	var whose []string
	for who, p := range h.peers {
		if p.timer.Stop() {
			h.timers.Done()
			whose = append(whose, who)
		}
	}
	h.mu.Unlock()
	for _, who := range whose {
		h.over(who)
	}
	h.timers.Wait()
}
