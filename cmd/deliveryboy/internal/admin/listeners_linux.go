package admin

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// What the kernel writes into /proc/net for a socket that waits for others.
const (
	tcpListen        = "0A"    // TCP_LISTEN
	udpUnconnected   = "07"    // TCP_CLOSE, which an unconnected udp socket is in
	unixAcceptingBit = 1 << 16 // __SO_ACCEPTCON
)

func listeners(ctx context.Context, protocols []string) (Listeners, error) {
	var all []Listener
	for _, p := range protocols {
		text, err := os.ReadFile("/proc/net/" + p)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without this protocol
		}
		if err != nil {
			return Listeners{}, err
		}
		parse := parseInet
		if p == "unix" {
			parse = parseUnix
		}
		for line := range strings.Lines(string(text)) {
			if l, ok := parse(p, strings.TrimSuffix(line, "\n")); ok {
				all = append(all, l)
			}
		}
	}
	holders, unseen, err := socketHolders(ctx)
	if err != nil {
		return Listeners{}, err
	}
	for i := range all {
		all[i].Holders = holders[all[i].Inode]
	}
	slices.SortFunc(all, compareListeners)
	res := Listeners{Sockets: all}
	if unseen > 0 {
		res.Note = fmt.Sprintf("%d processes belong to others, and their sockets could not be seen: run as root to see them",
			unseen)
	}
	return res, nil
}

func compareListeners(a, b Listener) int {
	if c := strings.Compare(a.Protocol, b.Protocol); c != 0 {
		return c
	}
	return strings.Compare(a.Address, b.Address)
}

// parseInet reads a line of /proc/net/tcp and its kin:
//
//	sl: local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode …
func parseInet(protocol, line string) (Listener, bool) {
	f := strings.Fields(line)
	if len(f) < 10 {
		return Listener{}, false
	}
	waiting := f[3] == tcpListen
	if strings.HasPrefix(protocol, "udp") {
		waiting = f[3] == udpUnconnected
	}
	addr, addrErr := parseHexAddr(f[1])
	uid, uidErr := strconv.Atoi(f[7])
	inode, inodeErr := strconv.ParseUint(f[9], 10, 64)
	if !waiting || addrErr != nil || uidErr != nil || inodeErr != nil {
		return Listener{}, false
	}
	return Listener{Protocol: protocol, Address: addr.String(), UID: uid, Inode: inode}, true
}

// parseHexAddr reads an address of 4-byte words in this machine's byte order, a colon and a port.
func parseHexAddr(s string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%d bytes are no address", len(raw))
	}
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(addr, uint16(n)), err
}

// parseUnix reads a line of /proc/net/unix:
//
//	Num: RefCount Protocol Flags Type St Inode Path
func parseUnix(protocol, line string) (Listener, bool) {
	f := strings.Fields(line)
	if len(f) < 8 {
		return Listener{}, false // the header, or a socket without a name
	}
	flags, flagsErr := strconv.ParseUint(f[3], 16, 64)
	inode, inodeErr := strconv.ParseUint(f[6], 10, 64)
	if flagsErr != nil || inodeErr != nil || flags&unixAcceptingBit == 0 {
		return Listener{}, false
	}
	// A path may hold blanks: it is all that follows the inode and one blank.
	_, path, _ := strings.Cut(line, " "+f[6]+" ")
	return Listener{Protocol: protocol, Address: path, UID: -1, Inode: inode}, true
}

// socketHolders finds the processes that have a socket open, by its inode. Unseen counts the processes whose
// descriptors may not be read.
func socketHolders(ctx context.Context) (holders map[uint64][]Holder, unseen int, err error) {
	pids, err := pids()
	if err != nil {
		return nil, 0, err
	}
	holders = map[uint64][]Holder{}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		inodes, err := openSockets(pid)
		if errors.Is(err, fs.ErrPermission) {
			unseen++
		}
		for _, inode := range inodes {
			holders[inode] = append(holders[inode], Holder{PID: pid, Program: program(pid)})
		}
	}
	return holders, unseen, nil
}

// openSockets are the inodes of the sockets that a process has open, each once.
func openSockets(pid int) ([]uint64, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var inodes []uint64
	for _, fd := range fds {
		link, err := os.Readlink(dir + "/" + fd.Name())
		number, ok := strings.CutPrefix(link, "socket:[")
		if err != nil || !ok {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			inodes = append(inodes, inode)
		}
	}
	slices.Sort(inodes)
	return slices.Compact(inodes), nil
}

// program is the file that a process runs, or its short name.
func program(pid int) string {
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		return exe
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(comm), "\n")
}

// pids are the processes there are.
func pids() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}
