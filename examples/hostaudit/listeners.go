package main

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ListenerQuery asks which programs wait for calls from the network.
type ListenerQuery struct {
	Proc string // default /proc
}

// ListenerReport is the answer.
type ListenerReport struct {
	Listeners []Listener
	Hidden    int // processes whose descriptors this user may not see
	Findings
}

// A Listener is a socket that waits, and the program that has it open.
type Listener struct {
	Proto   string // tcp, tcp6, udp, udp6
	Addr    netip.AddrPort
	UID     uint32 // who made the socket
	PID     int    // 0 if the program is not to be seen
	Program string // its file, or its name where the file is not to be seen
}

// String is the report in a few words.
func (r ListenerReport) String() string {
	text := fmt.Sprintf("%d listening sockets", len(r.Listeners))
	if r.Hidden > 0 {
		text += fmt.Sprintf("; %d processes are closed to this user", r.Hidden)
	}
	return text
}

func auditListeners(ctx context.Context, q ListenerQuery) (ListenerReport, error) {
	if q.Proc == "" {
		q.Proc = "/proc"
	}
	var report ListenerReport
	byInode := map[uint64][]int{}
	for _, proto := range []string{"tcp", "tcp6", "udp", "udp6"} {
		data, _, err := readFile(filepath.Join(q.Proc, "net", proto))
		if errors.Is(err, fs.ErrNotExist) && strings.HasSuffix(proto, "6") {
			continue // a kernel without IPv6
		}
		if err != nil {
			return ListenerReport{}, fmt.Errorf("listeners: %w", err)
		}
		for _, s := range parseSockets(proto, string(data)) {
			byInode[s.inode] = append(byInode[s.inode], len(report.Listeners))
			report.Listeners = append(report.Listeners, s.listener)
		}
	}
	if err := report.findOwners(ctx, q.Proc, byInode); err != nil {
		return ListenerReport{}, fmt.Errorf("listeners: %w", err)
	}
	for _, l := range report.Listeners {
		report.judge(l)
	}
	return report, nil
}

// maxSockets bounds the list of each protocol.
const maxSockets = 5000

type socket struct {
	inode    uint64
	listener Listener
}

// parseSockets reads a table such as /proc/net/tcp and keeps what waits: TCP in state LISTEN, UDP without a peer.
func parseSockets(proto, table string) []socket {
	waiting := "0A"
	if strings.HasPrefix(proto, "udp") {
		waiting = "07"
	}
	var found []socket
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != waiting {
			continue // the head line is one of these
		}
		addr, err := parseAddr(f[1])
		uid, err2 := strconv.ParseUint(f[7], 10, 32)
		inode, err3 := strconv.ParseUint(f[9], 10, 64)
		if errors.Join(err, err2, err3) != nil || len(found) == maxSockets {
			continue
		}
		found = append(found, socket{inode, Listener{Proto: proto, Addr: addr, UID: uint32(uid)}})
	}
	return found
}

var errAddr = errors.New("not an address of /proc/net")

// parseAddr reads "0100007F:0016": words of four bytes in the machine's own order, then the port.
func parseAddr(s string) (netip.AddrPort, error) {
	text, portText, ok := strings.Cut(s, ":")
	raw, err := hex.DecodeString(text)
	port, err2 := strconv.ParseUint(portText, 16, 16)
	if !ok || err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, errAddr
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// findOwners looks through the descriptors of every process for the sockets. Those of other users only root may see.
func (r *ListenerReport) findOwners(ctx context.Context, proc string, byInode map[uint64][]int) error {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		dir := filepath.Join(proc, entry.Name())
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if errors.Is(err, fs.ErrPermission) {
			r.Hidden++
		}
		for _, fd := range fds { // none if the process is gone by now
			inode, ok := socketInode(filepath.Join(dir, "fd", fd.Name()))
			if !ok {
				continue
			}
			for _, i := range byInode[inode] {
				if r.Listeners[i].PID == 0 { // the first is the parent of those that inherited it
					r.Listeners[i].PID, r.Listeners[i].Program = pid, program(dir)
				}
			}
		}
	}
	return nil
}

func socketInode(link string) (uint64, bool) {
	target, err := os.Readlink(link)
	if err != nil {
		return 0, false
	}
	number, ok := strings.CutPrefix(target, "socket:[")
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, ok && err == nil
}

// program is the file that a process runs, or the name it gives itself.
func program(dir string) string {
	if exe, err := os.Readlink(filepath.Join(dir, "exe")); err == nil {
		return exe
	}
	name, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return "gone by now"
	}
	return strings.TrimSpace(string(name))
}

// clearText are ports whose protocols send passwords in clear, or ask for none.
var clearText = map[uint16]string{
	21: "ftp", 23: "telnet", 69: "tftp", 111: "rpcbind", 512: "rexec", 513: "rlogin", 514: "rsh", 2049: "nfs", 2375: "docker",
	3306: "mysql", 5900: "vnc", 6379: "redis", 9200: "elasticsearch", 11211: "memcached", 27017: "mongodb",
}

// judge says something only about sockets that other hosts can reach, and about programs whose file was replaced.
func (r *ListenerReport) judge(l Listener) {
	subject := l.Proto + " " + l.Addr.String()
	who := fmt.Sprintf("a program of uid %d outside of this process namespace", l.UID)
	switch {
	case l.PID != 0:
		who = fmt.Sprintf("%s (pid %d, uid %d)", plain(l.Program), l.PID, l.UID)
	case r.Hidden > 0:
		who = fmt.Sprintf("a program of uid %d, not to be seen without root", l.UID)
	}
	if strings.HasSuffix(l.Program, " (deleted)") {
		r.add(Warn, subject, who+": the file was replaced, the old program still runs", "restart it")
	}
	if l.Addr.Addr().IsLoopback() {
		return
	}
	if name := clearText[l.Addr.Port()]; name != "" {
		r.add(High, subject, who+" offers "+name+" to other hosts", "bind it to 127.0.0.1, or stop it")
		return
	}
	r.add(Note, subject, who+" can be reached from other hosts", "")
}
