// Package registry says which functions may be called: it maps a name to a typed function.
//
// Registering a function checks it once, when the program starts: a parameter that cannot travel is a panic that names
// the field, not a surprise at the first call. [Func.On] then gives the function back with its own type, as it is
// called somewhere else:
//
//	var chown = registry.Register("chown", os.Chown)
//
//	err := chown.On(root)("/srv/app", 33, 33)
//
// Both ends of a call run the same program, so both have the same registry. [Fingerprint] lets them make sure.
package registry

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
)

// Rules say how a function may be used. The zero value is the default.
type Rules struct {
	Doc   string // one sentence for listings
	Depth int    // how deep values of recursive types may be nested; 0: recursive types are refused

	// Idempotent says that running the function once more does no harm. Only then does a session that was lost dial again
	// for its next call.
	Idempotent bool
}

// table is the registry of this program.
var table struct {
	sync.RWMutex
	entries map[string]*Entry
	files   bool // a function takes or returns open files
	sealed  bool // Main has run: the far side would not know what comes later
}

// Register registers fn under a name of 1 to 128 characters out of a-z, 0-9, '.', '_' and '-', and returns it as a
// [Func]. Call it in the declaration of a package variable, so that the copy of the program on the far side has it too.
//
// Parameters and results travel by value, but for the live ones, such as io.Reader or a callback, which stay where they are:
// package channel lists them. A leading context.Context brings deadline and cancellation along; a trailing error brings
// the function's own error, or that of its delivery. A method is registered as a method expression, such as
// Server.Restart: its receiver is the first argument.
//
// Register panics, naming the registering line, if the name is taken or malformed, if a parameter or result cannot
// travel, if fn is a closure that can be seen to capture variables, or after delivery.Main.
func Register[F any](name string, fn F, rules ...Rules) Func[F] {
	if why := checkName(name); why != "" {
		panic(fmt.Sprintf("registry: %s: name %s: %s", position(), quote(name), why))
	}
	return Func[F]{add(name, reflect.ValueOf(fn), position(), rules)}
}

// RegisterSymbol registers fn under the name of its Go symbol, such as "os.Chown". The same function may be registered
// so more than once.
func RegisterSymbol[F any](fn F, rules ...Rules) Func[F] {
	where := position()
	v := reflect.ValueOf(fn)
	name, err := symbol(v)
	if err != nil {
		panic(fmt.Sprintf("registry: %s: %v", where, err))
	}
	table.RLock()
	e := table.entries[name]
	table.RUnlock()
	if e != nil && e.typ == v.Type() && e.fn.Pointer() == v.Pointer() {
		return Func[F]{e}
	}
	return Func[F]{add(name, v, where, rules)}
}

func add(name string, fn reflect.Value, where string, rules []Rules) *Entry {
	var r Rules
	if len(rules) > 0 {
		r = rules[0]
	}
	e, err := newEntry(name, fn, where, r)
	if err != nil {
		panic(fmt.Sprintf("registry: %s: %s: %v", where, name, err))
	}
	table.Lock()
	defer table.Unlock()
	if table.sealed {
		panic(fmt.Sprintf("registry: %s: %s is registered after delivery.Main: the copy on the far side would not know it; register it in a package variable", where, name))
	}
	if old := table.entries[name]; old != nil {
		panic(fmt.Sprintf("registry: %s: %s is already registered at %s", where, name, old.where))
	}
	if table.entries == nil {
		table.entries = map[string]*Entry{}
	}
	table.entries[name] = e
	table.files = table.files || e.OpenFile() != ""
	return e
}

// PassesFiles reports whether any function takes or returns open files.
func PassesFiles() bool {
	table.RLock()
	defer table.RUnlock()
	return table.files
}

// Seal ends registration. delivery.Main calls it.
func Seal() {
	table.Lock()
	defer table.Unlock()
	table.sealed = true
}

// Sealed reports whether Seal was called.
func Sealed() bool {
	table.RLock()
	defer table.RUnlock()
	return table.sealed
}

// Lookup returns the function registered under a name.
func Lookup(name string) (*Entry, bool) {
	table.RLock()
	defer table.RUnlock()
	e, ok := table.entries[name]
	return e, ok
}

// Names returns the names of all registered functions, sorted.
func Names() []string {
	table.RLock()
	defer table.RUnlock()
	return slices.Sorted(maps.Keys(table.entries))
}
