package box

import (
	"reflect"
	"sync"

	"github.com/seed354a1416/deliveryboy/internal/gobguard"
)

// Every gob that comes from the other side is looked at first: encoding/gob allocates what a stream claims, and recurses
// as deep as it says.

// levelsPerDepth is how many levels of gob one level of a recursive type may take: a struct, a pointer, a slice or map and
// an interface in between.
const levelsPerDepth = 4

// guards makes the guard of a codec when the first value comes.
type guards struct {
	once  sync.Once
	guard *gobguard.Guard
}

func (g *guards) of(wire reflect.Type, depth int) *gobguard.Guard {
	g.once.Do(func() {
		levels := gobguard.DefaultDepth + levelsPerDepth*depth
		if depth < maxValueDepth { // what is in an interface may go as deep
			levels += levelsPerDepth * maxValueDepth
		}
		g.guard = gobguard.New(wire, gobguard.Options{Depth: levels, Allow: valueNamed})
	})
	return g.guard
}

// gobName is the name under which gob.Register registers a type.
func gobName(t reflect.Type) string {
	if t.Name() == "" || t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

// valueNamed is the type that an interface may hold under this name.
func valueNamed(name string) (reflect.Type, bool) {
	registerBasicValues()
	values.RLock()
	defer values.RUnlock()
	t, ok := values.names[name]
	return t, ok
}
