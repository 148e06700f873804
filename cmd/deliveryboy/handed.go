package main

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// handed reports whether systemd has opened sockets for this process; see sd_listen_fds(3).
func handed() bool {
	return os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) && os.Getenv("LISTEN_FDS") != ""
}

// handedSocket is the socket that systemd has opened. What this process starts is not told of it.
func handedSocket() (net.Listener, error) {
	const first = 3
	if count := os.Getenv("LISTEN_FDS"); count != "1" {
		return nil, &usageError{what: "LISTEN_FDS", value: quote(count), why: "systemd has to open one socket for this service, with one ListenStream="}
	}
	if why := notListening(first); why != "" {
		return nil, &usageError{what: "the socket of systemd", why: why}
	}
	syscall.CloseOnExec(first)
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name)
	}
	file := os.NewFile(first, "socket of systemd")
	defer file.Close()
	return net.FileListener(file)
}

// handedUnix is the same for a server that takes nothing else: who connects elsewhere is not known to it.
func handedUnix() (*net.UnixListener, error) {
	l, err := handedSocket()
	if err != nil {
		return nil, err
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		_ = l.Close()
		return nil, &usageError{what: "the socket of systemd", why: "is no unix socket, which it has to be; write ListenStream=/path"}
	}
	return unix, nil
}

// notListening says why a descriptor is no socket that connections come from.
func notListening(fd int) string {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	switch {
	case err != nil:
		return "is none: descriptor 3: " + err.Error()
	case kind != syscall.SOCK_STREAM:
		return "is not one of streams; write ListenStream= in the socket's unit"
	}
	listening, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err == nil && listening == 0 {
		return "does not listen; write Accept=no in the socket's unit"
	}
	return ""
}
