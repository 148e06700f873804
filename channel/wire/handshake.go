package wire

import (
	"fmt"
	"math"
	"time"
)

// Mode is the form of a wire.
type Mode string

// The modes. Auto is only asked for: the worker then offers the binary form if its side may be 8-bit clean, and the
// caller takes it if the path back has shown to be.
const (
	Auto   Mode = ""
	Text   Mode = "text"
	Binary Mode = "binary"
)

// The bounds of a heartbeat: one that is shorter is nothing but work, and of the longest a few can be added up.
const (
	shortestBeat = 10 * time.Millisecond
	longestBeat  = math.MaxInt64 / 16
)

// A Preamble is the first thing that a caller sends: what it is, and how the worker is to be set up.
type Preamble struct {
	Version    int           // 0 is sent as Version
	Nonce      Nonce         // of the call; it travels in the markers
	Build      string        // build ID of the caller's program
	Registry   string        // fingerprint of its functions, in hex
	Dir        string        // working directory; empty for the worker's default, /
	Umask      *int          // 0 to 0o777; nil for the worker's default, 0o077
	Nice       int           // -20 to 19, added by the worker; 0 for none
	Env        []string      // "NAME=value" each, for the worker's policy to admit
	Grace      time.Duration // how long a cancelled function may take to end; 0 for the worker's default
	Mode       Mode          // Auto or Text
	MaxMessage int64         // the longest reply that the caller takes, in bytes; 0 for DefaultMessage

	Session    bool          // many calls; else the worker ends after one
	Concurrent int           // calls that run at once; 0 for no limit
	MaxCalls   int           // after so many the worker ends; 0 for no limit
	Idle       time.Duration // after so long without a call it ends; 0 for no limit
	Lifetime   time.Duration // after so long it takes no more calls; 0 for no limit

	Heartbeat   time.Duration // how often either side shows that it is there, at least 10 ms; 0 for never
	Descriptors bool          // the worker's stdin is a socket of the caller's, which passes descriptors
}

// A Hello is the worker's answer: what it is, and whether it goes on.
type Hello struct {
	Version   int    // 0 is sent as Version
	Build     string // build ID of the worker's program
	Registry  string // fingerprint of its functions, in hex
	Go        string // its Go version
	OS, Arch  string
	Host      string
	PID       int
	UID, GID  int
	Mode      Mode     // Text or Binary; Door.Admit sets it
	Functions []string // its functions, if the registries differ
	Refusal   string   // why it does not go on; empty if it does
	Code      int      // the exit code that it then ends with

	Descriptors bool // its stdin passes descriptors
}

// A HandshakeError says that no wire came about: the other side ended, or did not say what it should.
type HandshakeError struct {
	What string // what was on its way: "preamble", "hello", "choice"
	Why  string
	Err  error // the cause, if there is one
}

func (e *HandshakeError) Error() string {
	text := fmt.Sprintf("wire: %s: %s", e.What, e.Why)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *HandshakeError) Unwrap() error { return e.Err }

// A VersionError says that the other side speaks another version of the protocol.
type VersionError struct {
	What        string // "preamble" or "hello"
	Got, Speaks int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("wire: %s: this program speaks %d, not %d: install the same build on both sides", e.What, e.Speaks, e.Got)
}

// A RefusedError says that the worker will not go on, and why.
type RefusedError struct {
	Code int // the exit code that the worker ends with
	Why  string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("wire: the worker refuses: %s", e.Why) }

func versionOf(v int) int64 {
	if v == 0 {
		return Version
	}
	return int64(v)
}

func (p *Preamble) encode() ([]byte, error) {
	var f fields
	f.number("version", versionOf(p.Version))
	f.string("build", p.Build)
	f.string("registry", p.Registry)
	f.string("dir", p.Dir)
	if p.Umask != nil {
		f.list("umask", []string{fmt.Sprint(*p.Umask)})
	}
	f.number("nice", int64(p.Nice))
	f.list("env", p.Env)
	f.number("grace", int64(p.Grace))
	f.string("mode", string(p.Mode))
	f.number("max-message", p.MaxMessage)
	f.flag("session", p.Session)
	f.number("concurrent", int64(p.Concurrent))
	f.number("max-calls", int64(p.MaxCalls))
	f.number("idle", int64(p.Idle))
	f.number("lifetime", int64(p.Lifetime))
	f.number("heartbeat", int64(p.Heartbeat))
	f.flag("descriptors", p.Descriptors)
	return f.bytes("preamble")
}

func (p *Preamble) decode(text []byte) error {
	f, err := parse("preamble", text)
	if err != nil {
		return err
	}
	*p = Preamble{
		Version:    Version,
		Nonce:      p.Nonce,
		Build:      f.string("build"),
		Registry:   f.string("registry"),
		Dir:        f.string("dir"),
		Nice:       int(f.integer("nice", -20, 19)),
		Env:        f.list("env"),
		Grace:      f.duration("grace"),
		Mode:       f.mode("mode"),
		MaxMessage: f.integer("max-message", 0, math.MaxInt64),

		Session:     f.flag("session"),
		Concurrent:  int(f.integer("concurrent", 0, math.MaxInt32)),
		MaxCalls:    int(f.integer("max-calls", 0, math.MaxInt32)),
		Idle:        f.duration("idle"),
		Lifetime:    f.duration("lifetime"),
		Heartbeat:   time.Duration(f.integer("heartbeat", int64(shortestBeat), int64(longestBeat))),
		Descriptors: f.flag("descriptors"),
	}
	if f.string("umask") != "" {
		p.Umask = new(int(f.integer("umask", 0, 0o777)))
	}
	return f.err
}

func (h *Hello) encode() ([]byte, error) {
	var f fields
	f.number("version", versionOf(h.Version))
	f.string("build", h.Build)
	f.string("registry", h.Registry)
	f.string("go", h.Go)
	f.string("os", h.OS)
	f.string("arch", h.Arch)
	f.string("host", h.Host)
	f.number("pid", int64(h.PID))
	f.number("uid", int64(h.UID))
	f.number("gid", int64(h.GID))
	f.string("mode", string(h.Mode))
	f.list("function", h.Functions)
	f.string("refusal", h.Refusal)
	f.number("code", int64(h.Code))
	f.flag("descriptors", h.Descriptors)
	return f.bytes("hello")
}

func (h *Hello) decode(text []byte) error {
	f, err := parse("hello", text)
	if err != nil {
		return err
	}
	*h = Hello{
		Version:   Version,
		Build:     f.string("build"),
		Registry:  f.string("registry"),
		Go:        f.string("go"),
		OS:        f.string("os"),
		Arch:      f.string("arch"),
		Host:      f.string("host"),
		PID:       int(f.integer("pid", 0, math.MaxInt32)),
		UID:       int(f.integer("uid", -1, math.MaxUint32)),
		GID:       int(f.integer("gid", -1, math.MaxUint32)),
		Mode:      f.mode("mode"),
		Functions: f.list("function"),
		Refusal:   f.string("refusal"),
		Code:      int(f.integer("code", 0, 255)),

		Descriptors: f.flag("descriptors"),
	}
	return f.err
}
