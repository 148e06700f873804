package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/doorway"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// firstOpenPort is the first that needs no privilege.
const firstOpenPort = 1024

// guest refuses what a user must not do through a kernel that may more than that user.
func (s *Socket) guest() error {
	if os.Geteuid() != 0 || s.Owner == 0 {
		return nil
	}
	switch {
	case s.Spec.Path != "":
		return kernel.Errorf(kernel.Denied, "permission denied: root's kernel makes unix sockets for root alone")
	case s.Spec.Port != 0 && s.Spec.Port < firstOpenPort:
		return kernel.Errorf(kernel.Denied, "permission denied: root's kernel makes sockets with a port below %d for root alone", firstOpenPort)
	case s.Spec.Type == "raw":
		return kernel.Errorf(kernel.Denied, "permission denied: root's kernel makes raw sockets for root alone")
	case s.Spec.Interface != "":
		return kernel.Errorf(kernel.Denied, "permission denied: root's kernel binds to interfaces for root alone")
	}
	return nil
}

// open makes the kernel's own socket.
func (s *Socket) open() error {
	if err := s.guest(); err != nil {
		return err
	}
	file, err := s.bind(s.Spec.Port, !s.Spec.Reuseport)
	if err != nil {
		return kernel.Errorf(kernel.Failed, "Bind failed on %s: %s", s.place(), line.Visible(err.Error()))
	}
	s.file = file
	if s.Spec.Family != "unix" {
		s.Host, s.Port, err = addressOf(file)
	}
	if s.Spec.Type == "raw" {
		s.Port = 0 // the system has the protocol there
	}
	if s.Spec.Reuseport && s.Spec.Type == "dgram" { // it would get a share of what comes
		s.file = nil
		file.Close()
	}
	if err != nil {
		s.close()
		return kernel.Errorf(kernel.Failed, "Bind failed on %s: %s", s.place(), line.Visible(err.Error()))
	}
	return nil
}

// place is the address as an error names it.
func (s *Socket) place() string {
	if s.Spec.Path != "" {
		return line.Visible(s.Spec.Path)
	}
	return net.JoinHostPort(s.Spec.Host, strconv.Itoa(s.Spec.Port))
}

// own opens another socket with the address of this one, for one process: reuseport.
func (s *Socket) own() (*os.File, error) {
	file, err := s.bind(s.Port, true)
	if err != nil {
		return nil, kernel.Errorf(kernel.Failed, "Bind failed on %s: %s", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), line.Visible(err.Error()))
	}
	return file, nil
}

var (
	families = map[string]int{"inet": unix.AF_INET, "inet6": unix.AF_INET6, "unix": unix.AF_UNIX}
	types    = map[string]int{"stream": unix.SOCK_STREAM, "dgram": unix.SOCK_DGRAM, "seqpacket": unix.SOCK_SEQPACKET, "raw": unix.SOCK_RAW}
)

// bind makes a socket, blocking and closed on exec, with its address.
func (s *Socket) bind(port int, listen bool) (*os.File, error) {
	fd, err := cloexecSocket(families[s.Spec.Family], types[s.Spec.Type], s.Spec.Protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), "socket "+s.Name)
	if err = s.prepare(fd); err == nil {
		if s.Spec.Family == "unix" {
			err = s.bindPath(fd)
		} else {
			err = s.bindAddress(fd, port)
		}
	}
	if err == nil && listen && s.Spec.Backlog > 0 {
		err = os.NewSyscallError("listen", unix.Listen(fd, s.Spec.Backlog))
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (s *Socket) prepare(fd int) error {
	var err error
	if s.Spec.Family == "inet6" {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err == nil && s.Spec.Type == "stream" && s.Spec.Family != "unix" {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil && s.Spec.Reuseport {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	if err == nil && s.Spec.Interface != "" {
		if err := bindToDevice(fd, s.Spec.Interface); err != nil {
			return fmt.Errorf("interface %s: %w", s.Spec.Interface, err)
		}
	}
	return os.NewSyscallError("setsockopt", err)
}

func (s *Socket) bindAddress(fd, port int) error {
	a, err := netip.ParseAddr(s.Spec.Host)
	if err != nil {
		return err
	}
	if a.Is4() {
		return unwrapped(unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: a.As4()}))
	}
	sa := &unix.SockaddrInet6{Port: port, Addr: a.As16()}
	if a.Zone() != "" {
		i, err := net.InterfaceByName(a.Zone())
		if err != nil {
			return err
		}
		sa.ZoneId = uint32(i.Index)
	}
	return unwrapped(unix.Bind(fd, sa))
}

// unwrapped is an error of a call as it is: what was called, the text around says.
func unwrapped(errno error) error { return errno }

// bindPath binds a unix socket, and gives its file the mode. The file has no more than that at any time.
func (s *Socket) bindPath(fd int) error {
	path := s.Spec.Path
	if err := doorway.Clear(path); err != nil {
		return err
	}
	umask, err := strconv.ParseUint(s.Spec.Umask, 8, 32)
	if err != nil {
		return err
	}
	mode := 0o777 &^ uint32(umask)
	if runtime.GOOS == "linux" { // the file begins with the mode that the socket has
		if err := unix.Fchmod(fd, mode); err != nil {
			return os.NewSyscallError("fchmod", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return unwrapped(err)
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK || int(st.Uid) != os.Geteuid() {
		return errors.New("somebody put something else there")
	}
	s.Inode, s.Dev = st.Ino, uint64(st.Dev) //nolint:unconvert // another type on other systems
	if uint32(st.Mode)&0o777 == mode {      //nolint:unconvert // another type on other systems
		return nil
	}
	if err := unix.Fchmodat(unix.AT_FDCWD, path, mode, 0); err != nil {
		os.Remove(path)
		return os.NewSyscallError("chmod", err)
	}
	return nil
}

// addressOf is the address that a socket got.
func addressOf(file *os.File) (host string, port int, err error) {
	sa, err := unix.Getsockname(int(file.Fd()))
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr).String(), a.Port, nil
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr).String(), a.Port, nil
	}
	return "", 0, os.NewSyscallError("getsockname", err)
}
