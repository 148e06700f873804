package server_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
	"github.com/seed354a1416/deliveryboy/kernel/server"
)

const fullText = "Error: your unfinished commands and unread replies are more than"

// heap is how many bytes are in use.
func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// waitRead waits until the other side has read all, or hung up.
func waitRead(t *testing.T, k *talk) {
	t.Helper()
	raw, err := k.conn.SyscallConn()
	must(t, err)
	for left := 1; left > 0; time.Sleep(100 * time.Microsecond) {
		must(t, raw.Control(func(fd uintptr) {
			if left, err = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ); err != nil {
				left = 0
			}
		}))
	}
}

// TestT50HalfSentLiterals: many halves of commands, whatever their size, take no more memory than there may be: what is
// counted is what the buffers have, and not what is in them.
func TestT50HalfSentLiterals(t *testing.T) {
	const most, clients = 8 << 20, 400
	for _, size := range []int{40 << 10, 63 << 10, 70 << 10} { // just above a power of two, just below, and a long one
		o := kerneltest.StartWith(t, server.Options{Memory: most})
		half := []byte("set a {4194304}\n" + strings.Repeat("x", size))
		before, refused := heap(), 0
		var list []*talk
		for range clients {
			k := dial(t, o)
			list = append(list, k)
			_, _ = k.conn.Write(half) // one that is refused may not take all of it
		}
		for _, k := range list { // each of them is either heard to its end or refused
			waitRead(t, k)
			must(t, k.conn.SetReadDeadline(time.Now().Add(5*time.Millisecond))) // a refusal is there by now
			if strings.HasPrefix(k.reply(), fullText) {
				refused++
			}
		}
		grown := heap() - before
		t.Logf("%d bytes each: %d of %d are refused, the heap grew by %d KiB", size, refused, clients, grown>>10)
		if most := most + clients*(24<<10); grown > most { // and what each connection has, on both sides
			t.Errorf("%d bytes each: %d bytes are held; there may be %d", size, grown, most)
		}
		if least := clients - most/size - 1; refused < least {
			t.Errorf("%d bytes each: %d of %d are refused; at least %d cannot be held", size, refused, clients, least)
		}
		for _, k := range list {
			k.conn.Close()
		}
	}
}

// TestT50RunningCommands: what commands have that run beside others is counted, too, with their words.
func TestT50RunningCommands(t *testing.T) {
	o := kerneltest.StartWith(t, server.Options{Memory: 8 << 20})
	c, err := kernel.Open(t.Context(), o)
	must(t, err)
	defer c.Close()
	_, err = c.MakeProcess(t.Context(), "deaf", kernel.ProcessSpec{Args: []string{"/bin/sleep", "1000"}, Stdin: kernel.Pipe})
	must(t, err)
	k := machine(t, o)
	const size = 1 << 20
	text := strings.Repeat("x", size)
	for i := range 20 { // each waits for the process to read it
		_, err := fmt.Fprintf(k.conn, "%d send process deaf {%d}\n%s\n", i, size, text)
		must(t, err)
	}
	if got := k.frame(); !strings.Contains(got, " error limit ") {
		t.Errorf("%.200q", got)
	}
	must(t, c.StopProcesses(t.Context(), 0, "deaf"))
}
