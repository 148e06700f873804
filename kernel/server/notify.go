package server

import (
	"net"
	"os"
	"strconv"
	"strings"
)

// notify tells the service manager that clients can connect, and which process is to be signalled; see sd_notify(3). If
// there is none, or it does not listen, that changes nothing here.
func notify(main int) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	if rest, ok := strings.CutPrefix(path, "@"); ok {
		path = "\x00" + rest
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("READY=1\nMAINPID=" + strconv.Itoa(main) + "\n"))
}
