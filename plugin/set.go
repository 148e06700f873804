package plugin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/seed354a1416/deliveryboy/registry"
)

// A Set is what a program gives to goplugin.Serve and to goplugin.NewClient: plugins, and how both sides know that they
// mean the same ones.
type Set struct {
	// Handshake has the magic cookie, and the version of Plugins.
	Handshake goplugin.HandshakeConfig

	// Plugins are those of the version in Handshake, Versions those of others. The highest that both sides have is used.
	Plugins  goplugin.PluginSet
	Versions map[int]goplugin.PluginSet

	// Server makes the server. Nil: goplugin.DefaultGRPCServer.
	Server func([]grpc.ServerOption) *grpc.Server
}

// sets are what this program provides.
var sets struct {
	sync.RWMutex
	byName map[string]Set
}

// Provide makes a set known under a name, which is formed as that of a function. Call it in an init function, or in the
// declaration of a package variable: the copy of the program that serves the set has to have it too. It panics if the
// name is taken or malformed, and if the set could not be served: no cookie, no plugin, or one that does not speak gRPC.
func Provide(name string, s Set) {
	if err := errors.Join(registry.CheckName(name), s.check()); err != nil {
		panic(fmt.Sprintf("plugin: set %q: %v", name, err))
	}
	sets.Lock()
	defer sets.Unlock()
	if _, taken := sets.byName[name]; taken {
		panic(fmt.Sprintf("plugin: set %q: the name is taken", name))
	}
	if sets.byName == nil {
		sets.byName = map[string]Set{}
	}
	sets.byName[name] = s
}

// provided returns a set by its name.
func provided(name string) (Set, error) {
	sets.RLock()
	defer sets.RUnlock()
	if s, ok := sets.byName[name]; ok {
		return s, nil
	}
	known := slices.Sorted(maps.Keys(sets.byName))
	return Set{}, fmt.Errorf("plugin: set %q: this program provides no such set, only %q; call Provide in an init function", name, known)
}

func (s *Set) check() error {
	if s.Handshake.MagicCookieKey == "" || s.Handshake.MagicCookieValue == "" {
		return errors.New("field Handshake: it needs a magic cookie, key and value")
	}
	versions := s.versions()
	if len(versions) == 0 {
		return errors.New("field Plugins: there are none")
	}
	for version, plugins := range versions {
		for name, p := range plugins {
			if _, ok := p.(goplugin.GRPCPlugin); !ok {
				return fmt.Errorf("plugin %q of version %d: %T does not speak gRPC, and net/rpc is not supported", name, version, p)
			}
		}
	}
	return nil
}

// isZero reports whether nothing is set.
func (s *Set) isZero() bool {
	return s.Handshake == (goplugin.HandshakeConfig{}) && s.Plugins == nil && s.Versions == nil && s.Server == nil
}

// versions are the plugins of all versions. The maps of the set are left as they are, for go-plugin writes to its own.
func (s *Set) versions() map[int]goplugin.PluginSet {
	all := maps.Clone(s.Versions)
	if all == nil {
		all = map[int]goplugin.PluginSet{}
	}
	if s.Plugins != nil {
		all[int(s.Handshake.ProtocolVersion)] = s.Plugins
	}
	return all
}

// choose returns the highest version that both have. If there is none, it is the lowest of the set, as with go-plugin: the
// host then says what is wrong.
func (s *Set) choose(theirs []int) int {
	mine := slices.Sorted(maps.Keys(s.versions()))
	for _, v := range slices.Backward(mine) {
		if slices.Contains(theirs, v) {
			return v
		}
	}
	return mine[0]
}

// server is the function that makes the gRPC server.
func (s *Set) server() func([]grpc.ServerOption) *grpc.Server {
	if s.Server != nil {
		return s.Server
	}
	return goplugin.DefaultGRPCServer
}

// env is what go-plugin's host would put into the environment of a plugin.
func (s *Set) env() []string {
	var versions []string
	for v := range s.versions() {
		versions = append(versions, strconv.Itoa(v))
	}
	return []string{s.Handshake.MagicCookieKey + "=" + s.Handshake.MagicCookieValue, envVersions + "=" + strings.Join(versions, ",")}
}

// expected is the set as the caller has it: what it says, or what this program provides.
func expected(name string, expect Set) (Set, error) {
	if expect.isZero() {
		return provided(name)
	}
	if err := expect.check(); err != nil {
		return Set{}, fmt.Errorf("plugin: set %q: %w", name, err)
	}
	return expect, nil
}
