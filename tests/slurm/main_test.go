//go:build linux

// Package slurm tests delivery to a node of the real Slurm through srun, as root: munged, slurmctld and slurmd run on this
// machine's loopback for as long as the tests do, with a directory and ports of their own.
//
// SLURM_FULL=1 runs the suite of couriers, too.
package slurm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/ways"
)

// node is the name of the one there is; missing says why there is none.
var node, missing string

func TestMain(m *testing.M) {
	delivery.Main()
	os.Exit(withCluster(m))
}

func withCluster(m *testing.M) int {
	dir, err := os.MkdirTemp("", "deliveryboy-slurm-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c := &cluster{dir: dir}
	defer func() {
		c.stop()
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	if err := c.start(); err != nil {
		missing = err.Error()
		fmt.Fprintln(os.Stderr, "NOT TESTED, no Slurm:", missing)
	}
	return m.Run()
}

// need skips a test without a node, and fails it in CI.
func need(t *testing.T) {
	t.Helper()
	ways.Need(t, "Slurm", missing)
}

// settings need nothing that this machine may not have, such as control groups of a version, a database or a mail program.
const settings = `ClusterName=deliveryboy
SlurmctldHost=%[2]s(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%[1]s/munge/socket
CredType=cred/munge
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/spool
SlurmctldPidFile=%[1]s/slurmctld.pid
SlurmdPidFile=%[1]s/slurmd.pid
SlurmctldLogFile=%[1]s/slurmctld.log
SlurmdLogFile=%[1]s/slurmd.log
SlurmctldPort=%[3]d
SlurmdPort=%[4]d
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=%[2]s NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:1024
`

// A cluster is one node, and what it takes to have one.
type cluster struct {
	dir     string
	daemons []*exec.Cmd
}

func (c *cluster) start() error {
	if os.Geteuid() != 0 {
		return errors.New("without root, Slurm runs nothing as other users")
	}
	for _, name := range []string{"munged", "slurmctld", "slurmd", "srun", "sinfo"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%w; run: go run ./tests/stage/install", err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	node, _, _ = strings.Cut(host, ".")
	controller, daemon, err := freePorts()
	if err != nil {
		return err
	}
	config, key := filepath.Join(c.dir, "slurm.conf"), make([]byte, 64)
	_, _ = rand.Read(key)
	munge := filepath.Join(c.dir, "munge")
	err = errors.Join(os.Chmod(c.dir, 0o755), os.Mkdir(munge, 0o755), os.Mkdir(filepath.Join(c.dir, "state"), 0o700), //nolint:gosec // munge's own demand
		os.Mkdir(filepath.Join(c.dir, "spool"), 0o755), os.WriteFile(filepath.Join(c.dir, "key"), key, 0o400), //nolint:gosec // the same
		os.WriteFile(config, fmt.Appendf(nil, settings, c.dir, node, controller, daemon), 0o644), //nolint:gosec // all users read it
		os.Setenv("SLURM_CONF", config))
	if err != nil {
		return err
	}
	// --force: its checks want each directory on the way to be root's alone, and /tmp is everybody's.
	c.run("munged", "--foreground", "--force", "--key-file="+c.dir+"/key", "--socket="+munge+"/socket",
		"--pid-file="+munge+"/pid", "--log-file="+munge+"/log", "--seed-file="+munge+"/seed")
	if err := eventually("munge", "--no-input", "--socket="+munge+"/socket"); err != nil {
		return err
	}
	c.run("slurmctld", "-D", "-i")
	if err := eventually("sinfo"); err != nil {
		return err
	}
	c.run("slurmd", "-D")
	return eventually("srun", "--immediate=1", "--quiet", "/bin/true")
}

// run starts a daemon, which ends with this process.
func (c *cluster) run(name string, args ...string) {
	cmd := exec.Command(name, args...) //nolint:noctx // stop ends it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	c.daemons = append(c.daemons, cmd)
}

// stop ends the daemons, the last one first.
func (c *cluster) stop() {
	for i := len(c.daemons) - 1; i >= 0; i-- {
		cmd := c.daemons[i]
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
	}
}

// eventually waits until a command succeeds: none of the daemons tells when it can be used.
func eventually(name string, args ...string) error {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		cancel()
		switch {
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%s: %w: %.500s", name, err, out)
		}
	}
}

// freePorts are two on which nobody listened a moment ago.
func freePorts() (a, b int, err error) {
	var ports [2]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine
		if err != nil {
			return 0, 0, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1], nil
}
