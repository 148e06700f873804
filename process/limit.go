package process

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
)

// LimitNames are the resource limits of this system, by the names of setrlimit(2) in lower case without "RLIMIT_".
func LimitNames() []string { return slices.Sorted(maps.Keys(resources)) }

// limits are the limits as the system knows them.
func (c Config) limits() ([]trampoline.Limit, error) {
	var limits []trampoline.Limit
	for _, name := range slices.Sorted(maps.Keys(c.Limits)) {
		key := strings.TrimPrefix(strings.ToLower(name), "rlimit_")
		resource, ok := resources[key]
		if !ok {
			return nil, c.wrong("limits."+name, fmt.Sprintf("this system has no such limit, but %s", strings.Join(LimitNames(), ", ")))
		}
		l := c.Limits[name]
		limits = append(limits, trampoline.Limit{Name: key, Resource: resource, Soft: l.Soft, Hard: l.Hard})
	}
	return limits, nil
}
