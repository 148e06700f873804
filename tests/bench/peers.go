package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// peerNames are the peers that this program must not link, because every worker would have to carry them. They are in a
// program of their own, bench-peers beside this one, made from the module in tests/bench/peers. It holds both ends of a
// peer, and is told line by line how to call: how many calls, and by how many callers.
var peerNames = []string{"go-plugin net/rpc", "go-plugin gRPC"}

// peersVar says where that program is: this one may be a copy elsewhere.
const peersVar = "BENCH_PEERS_PROGRAM"

// findPeers notes where the program is, before this one moves to the stage.
func findPeers() {
	if exe, err := os.Executable(); err == nil && os.Getenv(peersVar) == "" {
		_ = os.Setenv(peersVar, filepath.Join(filepath.Dir(exe), "bench-peers"))
	}
}

// A peer is one of them, ready for calls.
type peer struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startPeer starts a peer that takes n bytes there and back; it returns nil if the program is not there.
func startPeer(name string, n int) (*peer, error) {
	program := os.Getenv(peersVar)
	if _, err := os.Stat(program); err != nil {
		return nil, nil // it was not built, or cannot be seen from here
	}
	var err error
	p := &peer{cmd: exec.Command(program, name, fmt.Sprint(n))} //nolint:noctx // close ends it
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// ask has the peer take a sample.
func (p *peer) ask(how manner) (value float64, err error) {
	if _, err := fmt.Fprintln(p.in, how.calls, how.callers); err != nil {
		return 0, err
	}
	_, err = fmt.Fscanln(p.out, &value)
	return value, err
}

func (p *peer) close() {
	p.in.Close()
	_ = p.cmd.Wait()
}
