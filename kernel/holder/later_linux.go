package holder

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// laterWait is how long KeepLater and DropLater wait for another message to go along with: each one wakes the holder.
const laterWait = 20 * time.Millisecond

// KeepLater is Keep for what a successor of this server would find by itself: if this process dies soon, the holder may not
// have it. What is spared or dropped by then, it never gets.
func (l *Link) KeepLater(h Held) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept[h.Key] = h
	if l.closed {
		return
	}
	l.late[h.Key] = time.Now()
	l.soon()
}

// Spare gives up what KeepLater asked for, unless it has been done.
func (l *Link) Spare(key string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.late, key)
}

// DropLater is Drop for what a successor of this server would drop itself: if this process dies soon, it may still be kept.
func (l *Link) DropLater(key string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.kept, key)
	delete(l.late, key)
	if l.closed {
		return
	}
	l.drops = append(l.drops, key)
	l.soon()
}

// soon has the holder told what it was not told yet. The caller has the lock.
func (l *Link) soon() {
	switch {
	case l.armed || l.closed:
		return
	case l.later == nil:
		l.later = time.AfterFunc(laterWait, func() {
			l.mu.Lock()
			l.armed = false // what comes from now on may be too late for this time
			l.mu.Unlock()
			l.catchUp(time.Now().Add(-laterWait / 2))
		})
	default:
		l.later.Reset(laterWait)
	}
	l.armed = true
}

// catchUp tells the holder what it was not told yet, but for what was to be kept only after until.
func (l *Link) catchUp(until time.Time) {
	for _, h := range l.due(until) {
		err := l.keepLate(h)
		if errors.Is(err, unix.ETOOMANYREFS) && l.request(opSync) == nil {
			err = l.keepLate(h)
		}
		if err != nil && unlessLost(err) != nil && !errors.Is(err, os.ErrClosed) {
			l.events.Failed(h.Key, err.Error())
		}
	}
	_ = l.send(message{Op: opDrop})
}

// due is what was to be kept before until.
func (l *Link) due(until time.Time) (list []Held) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, since := range l.late {
		if since.After(until) {
			l.soon()
		} else {
			list = append(list, l.kept[key])
		}
	}
	return list
}

// keepLate has the holder keep something now, unless that is no longer wanted at the moment when it is said.
func (l *Link) keepLate(h Held) error {
	return withFDs(h.Files, nil, func(fds []int) error {
		l.sending.Lock()
		defer l.sending.Unlock()
		l.mu.Lock()
		since, late := l.late[h.Key]
		delete(l.late, h.Key)
		l.mu.Unlock()
		if !late {
			return nil
		}
		// What is dropped from here on is so after this: with another message.
		err := l.post(h.message(fds), 0)
		if errors.Is(err, unix.ETOOMANYREFS) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if _, kept := l.kept[h.Key]; kept {
				l.late[h.Key] = since
				l.soon()
			}
		}
		return err
	})
}

// addDrops has what is to be dropped go along with a message.
func (l *Link) addDrops(m *message, most int) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ErrLost
	}
	n = min(len(l.drops), most)
	m.Drops = l.drops[:n]
	return n, nil
}

func (l *Link) dropped(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drops = l.drops[n:]; len(l.drops) > 0 {
		l.soon()
	}
}
