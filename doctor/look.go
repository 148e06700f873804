package doctor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// look looks around where it runs.
var look = registry.Register("deliveryboy.doctor.look", lookHere,
	registry.Rules{Doc: "looks for what keeps workers from working well; changes nothing", Idempotent: true})

// A question says what to look at. Whoever may call the function chooses it, and the function may run as root: it leads to no
// file, and to no program but sudo and ssh.
type question struct {
	Digest string // of the asker's program; empty: it does not matter
	System string // that it is for; one for another has another digest
	Next   string // the hop that is next, in spec form; empty if there is none
	Stop   stop   // behind that hop
}

// A stop is how the worker behind a hop will be started.
type stop struct {
	Last    bool // it is the one that the spec is for
	Asks    bool // the hop may ask for a password
	Deploys bool // the program is brought there, so that a shell starts it
}

// here is this system.
const here = runtime.GOOS + "/" + runtime.GOARCH

// A report is the answer.
type report struct {
	Here []Finding // about this place
	Next []Finding // about the next hop
	Now  time.Time
}

// lookHere looks around in a worker, which was started by the path that the next one is started by, too.
func lookHere(ctx context.Context, q question) (report, error) {
	r := report{Now: time.Now()}
	brought := q.Digest == ""
	digest, err := ownDigest()
	if err != nil && !brought {
		r.Here = append(r.Here, Finding{Check: checkBuild, Severity: Note, What: notChecked + "whether the program's file is the one here: " + oneLine(err.Error()),
			Fix: "Mount /proc there, through which a program finds its own file."})
	}
	if err == nil && digest != q.Digest && !brought && q.System == here {
		r.Here = append(r.Here, Finding{Check: checkBuild, Severity: Warning,
			What: fmt.Sprintf("the file of the program there is not the one here, though it says that it is the same build: its SHA-256 is %.12s…, here it is %.12s…", digest, q.Digest),
			Fix:  "Copy this very file there."})
	}
	if !brought { // its directory was looked at before it ran
		r.Here = append(r.Here, owners(os.Args[0], privileged())...)
	}
	r.Here = append(r.Here, searchPath(privileged())...)
	r.Here = append(r.Here, system(ctx)...)
	if q.Next == "" {
		return r, nil
	}
	spec, err := transport.Parse(q.Next)
	if err != nil {
		return r, err
	}
	hop := harmless(spec.Via)
	if hop == nil {
		r.Next = []Finding{{Check: checkConfig, Severity: Note, What: notChecked + "what this hop needs, since its options name files or programs, to which a question leads no worker",
			Fix: "Nothing, if the hop can be passed; else examine it from a shell on the host before it."}}
		return r, nil
	}
	r.Next = nextHop(ctx, hop, os.Args[0], q.Stop)
	return r, nil
}

// harmless is a hop without what could lead a question about it to other programs or files than those of this place; nil if
// nothing of it is left.
func harmless(hop transport.Transport) transport.Transport {
	switch hop := hop.(type) {
	case transport.Sudo:
		if hop.Chroot != "" || hop.Program != "" {
			return nil
		}
		hop.Dir, hop.PreserveEnv = "", nil
		return hop
	case transport.SSH:
		plain := transport.SSH{Host: hop.Host, User: hop.User, Port: hop.Port, NoShare: hop.NoShare}
		if plain.String() != hop.String() {
			return nil // what is left would be another connection
		}
	}
	return hop
}

// nextHop looks at what the next hop needs of this place.
func nextHop(ctx context.Context, hop transport.Transport, program string, next stop) []Finding {
	argv := []string{program, "__deliver", "deliveryboy.doctor.look"}
	var found []Finding
	if next.Deploys {
		if p, err := deploy.Prepare(deploy.Options{On: true}); err == nil {
			argv = p.Argv("deliveryboy.doctor.look")
		}
	} else if next.Last && sameFiles(hop) {
		found = append(found, runnable(program)...)
		if transport.GainsPrivilege(hop) {
			found = append(found, owners(program, true)...)
		}
	}
	switch hop := hop.(type) {
	case transport.Sudo:
		if bad := ungaining(hop, hop.Program, argv); len(bad) > 0 {
			return append(found, bad...) // and says no more than that
		}
		found = append(found, sudo(ctx, hop, argv, next)...)
	case transport.Doas:
		found = append(found, ungaining(hop, hop.Program, argv)...)
	case transport.Su:
		found = append(found, ungaining(hop, hop.Program, argv)...)
	case transport.Pkexec:
		found = append(found, ungaining(hop, hop.Program, argv)...)
	case transport.SSH:
		found = append(found, ssh(ctx, hop, argv, next.Asks)...)
	}
	return found
}

// ungaining says why a hop's program cannot gain privileges here. One that the spec names may do it in its own way.
func ungaining(hop transport.Transport, named string, argv []string) []Finding {
	if bad := noNewPrivileges(); len(bad) > 0 {
		return bad
	}
	run, err := transport.Build(hop, argv)
	if err != nil || named != "" {
		return nil // which is told where it is started
	}
	return setuid(run[0])
}

// sameFiles reports whether the worker behind a hop starts from the files of this place.
func sameFiles(hop transport.Transport) bool {
	switch hop := hop.(type) {
	case transport.Sudo:
		return hop.Chroot == ""
	case transport.Doas, transport.Su, transport.Runuser, transport.Setpriv, transport.Pkexec, transport.Run0, transport.Userns:
		return true
	}
	return false
}

// ownSize is how long the file is that runs here, in bytes; 0 if that cannot be told.
var ownSize = sync.OnceValue(func() int64 {
	f, err := build.Open()
	if err != nil {
		return 0
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
})

// ownDigest is the SHA-256 of the file that runs here, in hex.
var ownDigest = sync.OnceValues(func() (string, error) {
	f, err := build.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
})
