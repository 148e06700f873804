package box

import (
	"fmt"
	"sync"
)

// RegisterSentinel makes errors.Is(err, err0) hold after a trip for an error value err0, such as
//
//	var ErrBusy = errors.New("busy")
//	func init() { box.RegisterSentinel("example.ErrBusy", ErrBusy) }
//
// The name travels, so it must be the same on both sides; say package and variable, in at most 128 bytes. Errors with
// an Is method of their own are asked about every registered sentinel on the far side. The sentinels of io, io/fs, os,
// os/exec, net, context, strconv, bufio, bytes, path and errors are known already, under their Go names.
//
// It panics if the name is empty or taken by another error, if the error has another name, is nil, or cannot be
// compared. Call it from init or from a package variable: both sides must have it before the first call.
func RegisterSentinel(name string, err error) {
	if why := sentinels.add(name, err); why != "" {
		panic(fmt.Sprintf("box: register sentinel %q: %s", cut(name, 80), why))
	}
}

// sentinelTable knows the sentinels by name and by value. The well-known ones come in when it is first used: a worker
// that returns no error does not pay for them.
type sentinelTable struct {
	once   sync.Once
	mu     sync.RWMutex // guards the rest
	byName map[string]error
	byErr  map[error]string
	names  []string // in the order of registration
}

var sentinels sentinelTable

const maxSentinelName = 128

func (t *sentinelTable) add(name string, err error) (why string) {
	switch {
	case name == "" || len(name) > maxSentinelName:
		return fmt.Sprintf("the name must have 1 to %d bytes; use package and variable, such as \"io.EOF\"", maxSentinelName)
	case err == nil:
		return "the error is nil; was the variable set before?"
	case !canCompare(err):
		return fmt.Sprintf("a %T cannot be compared; use a pointer, or RegisterError", err)
	}
	t.load()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.put(name, err)
}

// put adds one sentinel. The same pair twice is one sentinel.
func (t *sentinelTable) put(name string, err error) (why string) {
	if old, ok := t.byErr[err]; ok && old != name {
		return fmt.Sprintf("the error %q is already registered as %q; one error has one name", cut(textOf(err), 80), old)
	}
	if old, ok := t.byName[name]; ok && old != err {
		return fmt.Sprintf("the name is already taken by %T %q, and cannot be %T %q as well; choose another",
			old, cut(textOf(old), 80), err, cut(textOf(err), 80))
	}
	if _, ok := t.byName[name]; ok {
		return ""
	}
	t.byName[name], t.byErr[err] = err, name
	t.names = append(t.names, name)
	return ""
}

// load brings the well-known sentinels in.
func (t *sentinelTable) load() {
	t.once.Do(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		known := wellKnownSentinels()
		t.byName = make(map[string]error, len(known))
		t.byErr = make(map[error]string, len(known))
		for _, k := range known {
			t.put(k.name, k.err)
		}
	})
}

// sentinelName is the name of err, if err itself is a registered sentinel.
func sentinelName(err error) (string, bool) {
	if !canCompare(err) {
		return "", false
	}
	sentinels.load()
	sentinels.mu.RLock()
	defer sentinels.mu.RUnlock()
	name, ok := sentinels.byErr[err]
	return name, ok
}

// sentinelNamed is the sentinel of that name; nil if there is none here.
func sentinelNamed(name string) error {
	sentinels.load()
	sentinels.mu.RLock()
	defer sentinels.mu.RUnlock()
	return sentinels.byName[name]
}

// sentinelsNamed are the sentinels of those names, each once, as far as they are known here.
func sentinelsNamed(names []string) (list []error) {
	seen := make(map[string]bool)
	for _, name := range names {
		if s := sentinelNamed(name); s != nil && !seen[name] {
			seen[name] = true
			list = append(list, s)
		}
	}
	return list
}

// ownSentinels are the names of the sentinels that the Is method of err, if it has one, says it is.
func ownSentinels(err error) (names []string) {
	asked, ok := err.(interface{ Is(error) bool })
	if !ok {
		return nil
	}
	sentinels.load()
	sentinels.mu.RLock()
	all, byName := sentinels.names, sentinels.byName
	list := make([]error, len(all))
	for i, name := range all {
		list[i] = byName[name]
	}
	sentinels.mu.RUnlock()
	for i, s := range list { // without the lock: it is code of somebody else
		quietly(func() {
			if asked.Is(s) {
				names = append(names, all[i])
			}
		})
	}
	return names
}
