package holder

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
)

func init() { detached.Role(Role, main) }

// A manifest is what a process leaves to the holder that it becomes: in a file in memory, and the descriptors open.
type manifest struct {
	Version  int
	Argv     []string
	Held     []heldNumbers
	Exits    []Exit
	Program  int // descriptor; 0: this program
	Previous int // descriptor; -1: none
	Link     int // descriptor of the link to the server that runs; 0: none runs
	Server   int // that one's process number
	Serial   int // of the request that it waits for
}

type heldNumbers struct {
	Key  string
	Note []byte
	Who  Process
	FDs  []int
}

// Become makes this process, which was a server, the holder of what it had, after its own has died. It stays the parent of
// its children. It returns only if that fails; then nothing has changed.
func Become(o Options) error {
	m := manifest{Version: version, Argv: o.Argv, Previous: -1}
	return m.hold(o.Held, func() error { return m.exec("/proc/self/exe") })
}

// hold has the manifest name what is held, and calls then. Until that returns no file is closed: its number would be another
// file's. What has been closed before is about to be dropped, and left out.
func (m *manifest) hold(list []Held, then func() error) error {
	if len(list) == 0 {
		return then()
	}
	h, open := list[0], false
	err := withFDs(h.Files, nil, func(fds []int) error {
		open = true
		m.Held = append(m.Held, heldNumbers{h.Key, h.Note, h.Who, slices.Clone(fds)})
		return m.hold(list[1:], then)
	})
	if !open {
		return m.hold(list[1:], then)
	}
	return err
}

// renew has this holder become the program that it starts servers from. It returns only if that fails.
func (h *holder) renew(serial int) error {
	h.server.outbox.flush()
	h.server.outbox.end()
	m := manifest{Version: version, Argv: h.argv, Program: h.program, Previous: h.previous, Server: h.server.pid, Serial: serial}
	for _, key := range h.order {
		t := h.kept[key]
		m.Held = append(m.Held, heldNumbers{key, t.note, t.who, t.files.fds})
	}
	for _, e := range h.exits {
		m.Exits = append(m.Exits, e)
	}
	err := h.server.raw.Control(func(fd uintptr) { m.Link = int(fd) })
	if err == nil {
		err = h.deafen()
	}
	if err == nil {
		err = m.exec(fmt.Sprintf("/proc/self/fd/%d", h.program))
		h.hear()
	}
	h.server.outbox = newOutbox(h.server.raw)
	return err
}

func (m *manifest) fds() []int {
	var all []int
	for _, h := range m.Held {
		all = append(all, h.FDs...)
	}
	for _, fd := range []int{m.Program, m.Previous, m.Link} {
		if fd > 0 {
			all = append(all, fd)
		}
	}
	return all
}

// exec becomes a holder from a file, and leaves it the manifest.
func (m *manifest) exec(path string) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	file, err := blob(Role, data)
	if err != nil {
		return err
	}
	defer file.Close()
	return withFDs([]*os.File{file}, m.fds(), func(fds []int) error {
		defer func() { // it has failed: nothing of this is for the processes that this one starts
			for _, fd := range fds {
				unix.CloseOnExec(fd)
			}
		}()
		for _, fd := range fds {
			if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
				return fmt.Errorf("holder: descriptor %d: %w", fd, err)
			}
		}
		argv := append([]string{m.Argv[0], detached.Verb, Role}, m.Argv[min(3, len(m.Argv)):]...) // for those who look at processes
		argv = append(argv, strconv.Itoa(fds[len(fds)-1]))
		err := syscall.Exec(path, argv, os.Environ())
		return fmt.Errorf("holder: %w", &os.PathError{Op: "exec", Path: path, Err: err})
	})
}

const (
	exitUsage    = 64
	exitSoftware = 70
)

// main is the holder that another process became.
func main(args []string) int {
	h, err := inherit(args)
	if err != nil {
		say("%v", err)
		return exitUsage
	}
	code, err := h.loop()
	if err != nil {
		say("%v", err)
		return exitSoftware
	}
	return code
}

// inherit takes over what the manifest names.
func inherit(args []string) (*holder, error) {
	if len(args) == 0 {
		return nil, errors.New("holder: people do not start it")
	}
	fd, err := strconv.Atoi(args[len(args)-1])
	if err != nil || fd <= 2 {
		return nil, fmt.Errorf("holder: %q is no descriptor", args)
	}
	file := os.NewFile(uintptr(fd), "manifest")
	defer file.Close()
	if _, err := file.Seek(0, 0); err != nil {
		return nil, fmt.Errorf("holder: the manifest: %w", err)
	}
	var m manifest
	if err := json.NewDecoder(file).Decode(&m); err != nil || m.Version != version {
		return nil, fmt.Errorf("holder: a manifest of version %d; this program reads %d: %w", m.Version, version, err)
	}
	for _, fd := range m.fds() {
		unix.CloseOnExec(fd)
	}
	h := &holder{argv: m.Argv, kept: map[string]*thing{}, exits: map[Process]Exit{}, program: m.Program, previous: m.Previous}
	if h.program <= 0 {
		if h.program, err = self(); err != nil {
			return nil, err
		}
	}
	for _, e := range m.Exits {
		h.exits[e.Process] = e
	}
	for _, held := range m.Held {
		h.keep(message{Key: held.Key, Note: held.Note, PID: held.Who.PID, Start: held.Who.Start, fds: held.FDs})
	}
	h.adoptStrays()
	h.prepare()
	if m.Link <= 0 {
		h.server.heir = true
		return h, nil
	}
	h.server = server{pid: m.Server, ready: true, began: time.Now()}
	if err := h.meet(os.NewFile(uintptr(m.Link), "link")); err != nil {
		return nil, err
	}
	h.server.tell(message{Op: opSynced, Serial: m.Serial}, nil)
	return h, nil
}

// adoptStrays finds out which exits belong to nothing that is kept.
func (h *holder) adoptStrays() {
	for who := range h.exits {
		known := false
		for _, t := range h.kept {
			known = known || t.who == who
		}
		if !known {
			h.stray(who)
		}
	}
}
