package docker

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// libraries is what to do where this program needs libraries, as it does with the race detector.
func libraries(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if len(rootfs.Libraries(exe)) > 0 {
		return "build the program with cgo_enabled=0"
	}
	return ""
}

// TestDoctor: containers that lack much are right, but for what a call would miss.
func TestDoctor(t *testing.T) {
	ways.Need(t, "containers", missing)
	for _, c := range []struct {
		name   string
		spec   transport.Spec
		deploy bool
		want   string // an error, and what to do; empty for none
	}{
		{"nothing but the program", transport.Spec{Via: through(container), Binary: program}, false, ""},
		{"a shell", transport.Spec{Via: through(shelled), Binary: program}, false, ""},
		{"another user", transport.Spec{Via: transport.Docker{Container: shelled, User: "1234:1234"}, Binary: program}, false, ""},
		{"a container of its own", transport.Spec{Via: transport.DockerRun{Image: onlyShell}}, true, libraries(t)},
		{"no program", transport.Spec{Via: through(shelled), Binary: "/none"}, false, "put the program into the container"},
		{"no shell to bring it", transport.Spec{Via: through(container)}, true, "leave --deploy out"},
		{"no such container", transport.Spec{Via: through("none-of-ours"), Binary: program}, false, "correct the name of the container"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			found, err := doctor.Examine(ctx, c.spec, doctor.Options{Deploy: deploy.Options{On: c.deploy}})
			if (err == nil) != (c.want == "") {
				t.Errorf("reached: %v", err)
			}
			named := c.want == ""
			for _, f := range found {
				if f.Severity != doctor.Note && c.want == "" {
					t.Errorf("%+v", f)
				}
				named = named || f.Severity == doctor.Error && strings.Contains(strings.ToLower(f.Fix), c.want)
			}
			if !named {
				t.Errorf("want %q among %+v", c.want, found)
			}
		})
	}
}
