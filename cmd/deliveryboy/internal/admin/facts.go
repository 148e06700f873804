package admin

import (
	"context"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"time"
)

// Facts are what a host says about itself and about the worker that runs there. What the system does not tell is zero,
// and named in Unknown.
type Facts struct {
	Hostname        string    `json:"hostname"`
	OS              string    `json:"os"`           // as in GOOS
	Distribution    string    `json:"distribution"` // such as "Debian GNU/Linux 12 (bookworm)"
	Kernel          string    `json:"kernel"`       // such as "Linux 6.1.0-18-amd64"
	Arch            string    `json:"arch"`         // as in GOARCH
	CPUs            int       `json:"cpus"`         // that the worker may use
	MemoryTotal     int64     `json:"memory_total"` // bytes
	MemoryAvailable int64     `json:"memory_available"`
	Load            []float64 `json:"load"` // over 1, 5 and 15 minutes
	UptimeSeconds   int64     `json:"uptime_seconds"`
	BootID          string    `json:"boot_id"` // changes with every boot
	PID             int       `json:"pid"`     // of the worker, as are the next five
	User            string    `json:"user"`    // of the effective uid
	UID             int       `json:"uid"`     // effective
	GID             int       `json:"gid"`     // effective
	Groups          []int     `json:"groups"`  // supplementary groups
	Dir             string    `json:"dir"`
	Time            time.Time `json:"time"`
	Unknown         []string  `json:"unknown"` // JSON names of the fields that this system does not tell
}

// HostFacts tells what the host is, and who runs there. A fact that cannot be had is no error.
func HostFacts(ctx context.Context) (Facts, error) {
	f := Facts{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(),
		PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid(), Time: time.Now(),
	}
	f.learn("hostname", func() (err error) { f.Hostname, err = os.Hostname(); return })
	f.learn("groups", func() (err error) { f.Groups, err = os.Getgroups(); return })
	f.learn("dir", func() (err error) { f.Dir, err = os.Getwd(); return })
	f.learn("user", func() error {
		u, err := user.LookupId(strconv.Itoa(f.UID))
		if err == nil {
			f.User = u.Username
		}
		return err
	})
	f.system()
	return f, ctx.Err()
}

// learn runs get, and notes name as unknown if that fails.
func (f *Facts) learn(name string, get func() error) {
	if err := get(); err != nil {
		f.Unknown = append(f.Unknown, name)
	}
}
