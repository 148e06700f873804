package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// bundleFlag is a bundle, or a file of this program for one other system; it may be given many times.
type bundleFlag struct {
	file  string            // the bundle
	files map[string]string // by GOOS/GOARCH
}

func (f *bundleFlag) String() string { return "" }

func (f *bundleFlag) Type() string { return "FILE" }

func (f *bundleFlag) Set(s string) error {
	system, file, single := strings.Cut(s, "=")
	if !single {
		system, file = "", s
	}
	switch {
	case file == "":
		return errors.New("it has no file; write one such as app.bundle, or linux/arm64=build/app-arm64")
	case single:
		if err := deploy.CheckSystem(system); err != nil {
			return errors.New(strings.TrimPrefix(err.Error(), "deploy: "))
		}
	case f.file != "":
		return fmt.Errorf("there is a bundle already, %s; one can hold all systems", quote(f.file))
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if !single {
		f.file = file
		return nil
	}
	if f.files == nil {
		f.files = map[string]string{}
	}
	f.files[system] = file
	return nil
}

const bundleUsage = "this program for other systems: a `FILE` that pack made, or GOOS/GOARCH=FILE, which may be given many times"

// deployFlag has a command bring this program to the far side.
type deployFlag struct {
	on     bool
	bundle bundleFlag
}

func (d *deployFlag) add(f *pflag.FlagSet) {
	f.BoolVar(&d.on, "deploy", false, "bring this program to the far side if it is not there")
	f.Var(&d.bundle, "bundle", bundleUsage)
}

// options are what the flags mean for a spec, which then must not say where the program is. A bundle alone says which other
// builds may answer.
func (d *deployFlag) options(s transport.Spec) (deploy.Options, error) {
	if d.on && s.Binary != "" {
		return deploy.Options{}, &usageError{what: "flag --deploy", why: "it says itself where the program is; leave binary= out of the spec"}
	}
	return deploy.Options{On: d.on, Bundle: d.bundle.file, Programs: d.bundle.files}, nil
}

// deployment is one run of the command deploy.
type deployment struct {
	ask askFlag
	*terminal
	via    specFlag
	cache  dirFlag
	bundle bundleFlag
	json   bool
}

func newDeploy(t *terminal) *cobra.Command {
	d := &deployment{terminal: t, via: specFlag{spec: transport.Spec{Via: transport.Self{}}, text: "self"}}
	cmd := &cobra.Command{
		Use:   "deploy [flags]",
		Short: "Bring this program to the far side",
		Long: `deploy looks for this program where --via leads, brings it there if it is missing, tries
it, and writes the path that it has there, which binary= in a spec takes. call --deploy
does the same on its way.

The far side needs sh and a few of the tools that every system has, busybox for instance.
The program is kept under its digest in a directory of the far user's alone:
/var/cache/deliveryboy for root, ~/.cache/deliveryboy/bin for others, or where these
cannot be used, in $XDG_RUNTIME_DIR, /dev/shm or /tmp.

What via=NAME leads through gets the program too, unless that target says with binary=
where it is; --cache is for the last place alone.`,
		Example: `  deliveryboy deploy --via ssh=web1//sudo
  deliveryboy call --deploy --via ssh=web1//sudo net.listeners
  deliveryboy deploy --via ssh=pi --bundle deliveryboy.bundle
  deliveryboy deploy --via ssh=pi --bundle linux/arm64=build/deliveryboy-arm64`,
		Args: exactly(0, ""),
		RunE: d.run,
	}
	f := cmd.Flags()
	f.Var(&d.via, "via", "the `spec` of the way there, such as sudo=www, ssh=web1//sudo or via=TARGET//sudo")
	f.Var(&d.cache, "cache", "the directory there, an absolute `path`; it has to be the far user's alone")
	f.Var(&d.bundle, "bundle", bundleUsage)
	f.BoolVar(&d.json, "json", false, "write one JSON document to stdout")
	d.ask.add(f)
	t.completeSpecFlag(cmd, &d.via)
	return cmd
}

func (d *deployment) run(cmd *cobra.Command, _ []string) error {
	if d.via.spec.Binary != "" {
		return &usageError{what: "flag --via", why: "the program's place is what deploy finds; leave binary= out of the spec"}
	}
	o := delivery.SessionFor(d.via.spec)
	o.Deploy = deploy.Options{On: true, Cache: d.cache.path, Bundle: d.bundle.file, Programs: d.bundle.files}
	if err := o.Deploy.Check(); err != nil {
		return &usageError{what: strings.TrimPrefix(err.Error(), "deploy: ")}
	}
	via, done, err := d.via.way.through(cmd.Context(), o.Via, d.stop)
	defer done() //nolint:errcheck // what it was for has been done, or has failed
	if err != nil {
		return err
	}
	o.Via, o.Ask, o.Stdout, o.Stderr = via, d.ask.provider(), d.err, d.err
	s, err := session.Open(cmd.Context(), o)
	if err != nil {
		return err
	}
	r := s.Deployed()
	if err := s.Close(); err != nil {
		return err
	}
	return d.show(r)
}

// stop is how a target on the way is opened: the program is brought there too, unless the target says where it is.
func (d *deployment) stop(at stop) (session.Options, error) {
	return stopsWith(deployFlag{on: at.spec.Binary == "", bundle: d.bundle}, d.ask)(at)
}

func (d *deployment) show(r deploy.Result) error {
	if d.json {
		return writeJSON(d.out, struct {
			Via    string `json:"via"`
			Path   string `json:"path"`   // of the program there; empty if there was no place where it can stay
			Pushed bool   `json:"pushed"` // it was not there
			Sent   int64  `json:"sent"`   // bytes
			Build  string `json:"build"`
		}{d.via.text, r.Path, r.Pushed, r.Sent, r.Build})
	}
	switch {
	case r.Pushed && r.Path == "":
		fmt.Fprintf(d.err, "deliveryboy: it was brought there, %d bytes, and runs there, but there is no place where it can stay\n", r.Sent)
		return nil
	case r.Pushed:
		fmt.Fprintf(d.err, "deliveryboy: it was brought there, %d bytes\n", r.Sent)
	default:
		fmt.Fprintln(d.err, "deliveryboy: it is there already")
	}
	if _, err := fmt.Fprintln(d.out, plain.Line(r.Path)); err != nil {
		return &outputError{err}
	}
	return nil
}
