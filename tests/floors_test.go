// Package tests holds what is true across packages. This file keeps the house upright: DESIGN, section 2.
package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/seed354a1416/deliveryboy"

// floors is the house. An import goes down, never up or sideways. A sub-package lives on its parent's floor.
var floors = map[string]int{
	"cmd": 7, "examples": 7, "tests": 7,
	"examples/plugin": 7, // shows a plugin, so that it imports what those who write plugins do
	"job":             6, "cluster": 6,
	"plugin": 5, "pool": 5, "fleet": 5, "filesync": 5, "doctor": 5,
	"delivery": 4, "kernel": 4,
	"session": 3, "worker": 3, "process": 3,
	"registry": 2, "policy": 2,
	"channel": 1, "password": 1,
	"box": 0, "deploy": 0, "transport": 0, "channel/wire": 0,
	// A suite stands above all that it uses.
	"box/couriertest": 4,
	// What links a heavy module stands above the front door.
	"transport/xssh": 5, "transport/mtls": 5,
	// The cellar: what several floors share; it imports nothing of the house.
	"internal/armour": -1, "internal/build": -1, "internal/spelling": -1, "internal/gobguard": -1,
	"internal/detached": -1, "internal/doorway": -1, "internal/trampoline": -1, "internal/proctree": -1, "internal/askpass": -1,
	"internal/sdnotify": -1, "internal/hush": -1, "internal/statedir": -1,
	// Under it.
	"internal/pathway": -2,
}

const (
	front = 4 // up to here a package links only light modules: a worker has to start fast
	attic = 7 // programs and tests; nothing is above
)

// modules are the foreign ones and who may import them.
var modules = map[string]struct {
	owner string // the only package, or "" for all
	light bool   // may be linked up to the front door
	test  bool   // for tests only
}{
	"golang.org/x/sys":                 {light: true},
	"github.com/pkg/errors":            {owner: "box", light: true},
	"github.com/mitchellh/go-homedir":  {owner: "transport", light: true},
	"github.com/hashicorp/go-plugin":   {owner: "plugin"},
	"github.com/hashicorp/go-hclog":    {owner: "plugin"},
	"google.golang.org/grpc":           {owner: "plugin"},
	"google.golang.org/protobuf":       {owner: "plugin"},
	"github.com/nats-io":               {owner: "cluster"},
	"github.com/oklog/ulid":            {owner: "job"},
	"github.com/spf13/cobra":           {owner: "cmd"},
	"github.com/spf13/pflag":           {owner: "cmd"},
	"github.com/BurntSushi/toml":       {owner: "cmd"},
	"golang.org/x/crypto":              {owner: "transport/xssh"},
	"golang.org/x/term":                {owner: "cmd"},
	"github.com/skeema/knownhosts":     {owner: "transport/xssh"},
	"github.com/kevinburke/ssh_config": {owner: "transport/xssh"},
	"github.com/google/go-cmp":         {test: true},
	"go.uber.org/goleak":               {test: true},
	"pgregory.net/rapid":               {test: true},
	"github.com/rogpeppe/go-internal":  {test: true},
}

// pkg is what "go list" knows about one package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
	Deps         []string
}

func TestFloors(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "freebsd"} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			graph := list(t, system)
			if len(graph) < 4 {
				t.Fatalf("go list knows only %d packages of the module", len(graph))
			}
			for _, breach := range breaches(graph) {
				t.Error(breach)
			}
		})
	}
}

// list asks the go command for the packages of the module, as another system would build them.
func list(t *testing.T, system string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports,Deps", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var graph []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		graph = append(graph, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	return graph
}

// breaches says what is wrong with the house, one line per import.
func breaches(graph []pkg) []string {
	var found []string
	for _, p := range graph {
		room := roomOf(p.ImportPath)
		floor, known := floors[room]
		if !known {
			found = append(found, p.ImportPath+": is on no floor; add it to the table in DESIGN and here")
			continue
		}
		for _, imp := range p.Imports {
			if why := forbidden(room, imp, testOnly(p.ImportPath)); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", p.ImportPath, imp, why))
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if why := forbidden(room, imp, true); why != "" {
				found = append(found, fmt.Sprintf("a test of %s imports %s: %s", p.ImportPath, imp, why))
			}
		}
		if floor <= front && !testOnly(p.ImportPath) {
			for _, dep := range p.Deps {
				if m := foreign(dep); m != "" && !modules[m].light {
					found = append(found, fmt.Sprintf("%s links %s: too heavy below the front door", p.ImportPath, dep))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// forbidden says why the package in a room may not import another, or nothing.
func forbidden(room, imp string, forTest bool) string {
	floor := floors[room]
	other := roomOf(imp)
	switch {
	case other == "":
		return forbiddenModule(room, imp, forTest)
	case testOnly(imp):
		if forTest || floor == attic {
			return ""
		}
		return "it is for tests only"
	case other == room:
		return ""
	}
	below, known := floors[other]
	switch {
	case !known:
		return "it is on no floor"
	case below > floor:
		return fmt.Sprintf("up, from floor %d to %d", floor, below)
	case below == floor:
		return fmt.Sprintf("sideways, on floor %d", floor)
	}
	return ""
}

func forbiddenModule(room, imp string, forTest bool) string {
	name := foreign(imp)
	if name == "" {
		return ""
	}
	m, known := modules[name]
	switch {
	case !known:
		return "a module that nobody decided on; see LIBRARIES"
	case m.test && !forTest && floors[room] != attic:
		return "a module for tests"
	case m.light && floors[room] == attic: // an example does what a user's program does
		return ""
	case room == "examples/"+m.owner:
		return ""
	case m.owner != "" && m.owner != room && !(forTest && floors[room] == attic):
		return "only " + m.owner + " may import it"
	}
	return ""
}

// roomOf is the package of the house that an import path belongs to, "" for a foreign one.
func roomOf(imp string) string {
	rest, ours := strings.CutPrefix(imp+"/", module+"/")
	if !ours {
		return ""
	}
	parts := strings.Split(strings.TrimSuffix(rest, "/"), "/")
	if len(parts) > 1 {
		room := path.Join(parts[:2]...)
		if _, known := floors[room]; known || parts[0] == "internal" {
			return room
		}
	}
	if parts[0] == "" {
		return "." // the root of the module, which has no package
	}
	return parts[0]
}

// testOnly reports whether a package serves tests: box/boxtest, tests/stage.
func testOnly(imp string) bool {
	return roomOf(imp) == "tests" || roomOf(imp) != "" && strings.HasSuffix(path.Base(imp), "test")
}

// foreign is the entry of modules for an import path, the path itself when there is none, "" for the standard library
// and for this module.
func foreign(imp string) string {
	first, _, _ := strings.Cut(imp, "/")
	if !strings.Contains(first, ".") || roomOf(imp) != "" {
		return ""
	}
	for name := range modules {
		if strings.HasPrefix(imp+"/", name+"/") {
			return name
		}
	}
	return imp
}

// TestBreaches proves that each kind of breach is seen, and that what is allowed is not.
func TestBreaches(t *testing.T) {
	t.Parallel()
	in := func(name string) string { return module + "/" + name }
	for _, c := range []struct {
		name string
		pkg  pkg
		want []string // the ends of the lines
	}{
		{"down", pkg{ImportPath: in("pool"), Imports: []string{in("delivery"), in("box"), "os"}}, nil},
		{"cellar", pkg{ImportPath: in("box"), Imports: []string{in("internal/armour")}}, nil},
		{"own sub-package", pkg{ImportPath: in("cmd/deliveryboy"), Imports: []string{in("cmd/flags"), "github.com/spf13/cobra"}}, nil},
		{"up", pkg{ImportPath: in("box"), Imports: []string{in("worker")}}, []string{"up, from floor 0 to 3"}},
		{"up from the cellar", pkg{ImportPath: in("internal/armour"), Imports: []string{in("box")}}, []string{"up, from floor -1 to 0"}},
		{"up in a sub-package", pkg{ImportPath: in("box/wire"), Imports: []string{in("registry")}}, []string{"up, from floor 0 to 2"}},
		{"sideways", pkg{ImportPath: in("worker"), Imports: []string{in("session")}}, []string{"sideways, on floor 3"}},
		{"up in a test", pkg{ImportPath: in("box"), TestImports: []string{in("pool")}}, []string{"up, from floor 0 to 5"}},
		{"sideways in an outer test", pkg{ImportPath: in("box"), XTestImports: []string{in("transport")}}, []string{"sideways, on floor 0"}},
		{"suite in a test", pkg{ImportPath: in("pool"), TestImports: []string{in("box/boxtest"), in("tests/stage"), "go.uber.org/goleak"}}, nil},
		{"suite in a program", pkg{ImportPath: in("examples/hostaudit"), Imports: []string{in("tests/stage")}}, nil},
		{"suite outside of a test", pkg{ImportPath: in("pool"), Imports: []string{in("box/boxtest")}}, []string{"it is for tests only"}},
		{"suite above its house", pkg{ImportPath: in("box/couriertest"), Imports: []string{in("registry"), in("box/boxtest")}}, nil},
		{"suite uses test modules", pkg{ImportPath: in("box/boxtest"), Imports: []string{"github.com/google/go-cmp/cmp"}}, nil},
		{"on no floor", pkg{ImportPath: in("util")}, []string{"add it to the table in DESIGN and here"}},
		{"root of the module", pkg{ImportPath: module}, []string{"add it to the table in DESIGN and here"}},
		{"unknown in internal", pkg{ImportPath: in("internal/misc")}, []string{"add it to the table in DESIGN and here"}},
		{"import of no floor", pkg{ImportPath: in("pool"), Imports: []string{in("util")}}, []string{"it is on no floor"}},
		{"owner", pkg{ImportPath: in("plugin"), Imports: []string{"github.com/hashicorp/go-plugin"}}, nil},
		{"not the owner", pkg{ImportPath: in("pool"), Imports: []string{"github.com/nats-io/nats.go"}}, []string{"only cluster may import it"}},
		{"light module in an example", pkg{ImportPath: in("examples/errors"), Imports: []string{"github.com/pkg/errors"}}, nil},
		{"heavy module in its owner's example", pkg{ImportPath: in("examples/plugin"), Imports: []string{"google.golang.org/grpc", in("plugin")}}, nil},
		{"heavy module in another's example", pkg{ImportPath: in("examples/plugin"), Imports: []string{"github.com/nats-io/nats.go"}}, []string{"only cluster may import it"}},
		{"heavy module in an example", pkg{ImportPath: in("examples/x"), Imports: []string{"google.golang.org/grpc"}}, []string{"only plugin may import it"}},
		{"not the owner, in a test", pkg{ImportPath: in("worker"), TestImports: []string{"github.com/pkg/errors"}}, []string{"only box may import it"}},
		{"test module outside of tests", pkg{ImportPath: in("box"), Imports: []string{"pgregory.net/rapid"}}, []string{"a module for tests"}},
		{"nobody decided", pkg{ImportPath: in("box"), TestImports: []string{"example.com/x"}}, []string{"nobody decided on; see LIBRARIES"}},
		{"name with a common start", pkg{ImportPath: in("box"), Imports: []string{"github.com/pkg/errorsx"}}, []string{"nobody decided on; see LIBRARIES"}},
		{"heavy below", pkg{ImportPath: in("delivery"), Deps: []string{"github.com/hashicorp/go-plugin", "golang.org/x/sys/unix"}}, []string{"too heavy below the front door"}},
		{"heavy above", pkg{ImportPath: in("plugin"), Deps: []string{"github.com/hashicorp/go-plugin"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := breaches([]pkg{c.pkg})
			for i := range got {
				if i < len(c.want) && strings.HasSuffix(got[i], c.want[i]) {
					got[i] = c.want[i]
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}
