package stage

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// output is a file or a directory that a test binary was told to write outside of the stage. The ordinary user may not
// write there, so it is written inside, and copied when the inner process has ended.
type output struct {
	inside string
	parent *os.File // of the place outside, opened before mounts hide it
	name   string
}

// Flags of test binaries whose values are paths. The log of files that a test read is dropped: without it the go
// command does not cache the result, which is right for a test of the machine.
var (
	outputFlags = []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace", "gocoverdir"}
	dropped     = []string{"testlogfile", "outputdir"}
)

// redirectOutputs makes the arguments of the inner process from those of this one.
func redirectOutputs(args []string) (inner []string, outputs []output, err error) {
	base := ""
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "-test.outputdir="); ok {
			base = value
		}
	}
	for _, arg := range args {
		name, value, ok := strings.Cut(strings.TrimPrefix(arg, "-test."), "=")
		if !ok || !strings.HasPrefix(arg, "-test.") || value == "" {
			inner = append(inner, arg)
			continue
		}
		switch {
		case slices.Contains(dropped, name):
		case slices.Contains(outputFlags, name):
			o, err := openOutput(name, value, base)
			if err != nil {
				return nil, nil, err
			}
			outputs = append(outputs, o)
			inner = append(inner, "-test."+name+"="+o.inside)
		default:
			inner = append(inner, arg)
		}
	}
	return inner, outputs, nil
}

func openOutput(flag, value, base string) (output, error) {
	if !filepath.IsAbs(value) {
		value = filepath.Join(base, value)
	}
	parent, err := os.Open(filepath.Dir(value))
	if err != nil {
		return output{}, fmt.Errorf("-test.%s: %w", flag, err)
	}
	return output{inside: filepath.Join(dir, "out", flag), parent: parent, name: filepath.Base(value)}, nil
}

// prepareOutputs makes the places inside; each belongs to the user.
func prepareOutputs(outputs []output, uid, gid int) error {
	if err := os.Chown(dir+"/out", uid, gid); err != nil {
		return err
	}
	for _, o := range outputs {
		if filepath.Base(o.inside) != "gocoverdir" {
			continue
		}
		if err := os.Mkdir(o.inside, 0o755); err != nil {
			return err
		}
		if err := os.Chown(o.inside, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// copyOut brings what was written to where it was asked for. What was not written is not missed.
func copyOut(outputs []output) error {
	for _, o := range outputs {
		to := fmt.Sprintf("/proc/self/fd/%d/%s", o.parent.Fd(), o.name)
		files, err := os.ReadDir(o.inside)
		if err != nil { // not a directory
			if err := overwrite(o.inside, to); err != nil && !os.IsNotExist(err) {
				return err
			}
			continue
		}
		for _, f := range files {
			if err := overwrite(filepath.Join(o.inside, f.Name()), filepath.Join(to, f.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func overwrite(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
