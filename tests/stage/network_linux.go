package stage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// plan builds the three places: caller - router - far.
var plan = []string{
	"ip netns add caller", "ip netns add router", "ip netns add far",
	"ip -n caller link add wire type veth peer name near netns router",
	"ip -n far link add wire type veth peer name far netns router",
	"ip -n caller addr add " + callerAddress + "/24 dev wire", "ip -n router addr add 10.77.1.1/24 dev near",
	"ip -n far addr add " + farAddress + "/24 dev wire", "ip -n router addr add 10.77.2.1/24 dev far",
	"ip -n caller link set lo up", "ip -n caller link set wire up", "ip -n router link set near up",
	"ip -n far link set lo up", "ip -n far link set wire up", "ip -n router link set far up",
	"ip -n caller route add default via 10.77.1.1", "ip -n far route add default via 10.77.2.1",
}

// checkNetwork says why there can be no network, if that is known.
func (f *first) checkNetwork() error {
	for _, name := range []string{"ip", "nsenter"} {
		if !installed(name) {
			f.stage.Why[Networks] = name + " is not installed; run: go run ./tests/stage/install"
		}
	}
	return nil
}

// network obeys a word about the network.
func (f *first) network(word string) error {
	switch word {
	case "up":
		if f.far != nil {
			return nil
		}
		for _, line := range plan {
			words := strings.Fields(line)
			if out, err := f.reaper.output(exec.Command(words[0], words[1:]...)); err != nil {
				return fmt.Errorf("%s: %w %.200q", line, err, out)
			}
		}
		return errors.Join(f.forward("1"), f.startFar())
	case "cut":
		return f.forward("0")
	case "join":
		return f.forward("1")
	}
	return fmt.Errorf("the network has no word %.80q", word)
}

// forward switches the router.
func (f *first) forward(to string) error {
	out, err := f.reaper.output(exec.Command("nsenter", "--net=/run/netns/router", "sh", "-c", "echo "+to+" >/proc/sys/net/ipv4/ip_forward"))
	if err != nil {
		return fmt.Errorf("ip_forward=%s: %w %.200q", to, err, out)
	}
	return nil
}

// startFar starts the far server, and returns when it answers in the caller's place.
func (f *first) startFar() error {
	s := f.stage
	config := strings.NewReplacer(
		"ListenAddress 127.0.0.1", "ListenAddress "+farAddress, fmt.Sprintf("Port %d", s.SSHPort), fmt.Sprintf("Port %d", farPort),
	).Replace(f.serverConfig(sshDir + "/host"))
	path, err := exec.LookPath("sshd")
	if err != nil {
		return err
	}
	if err := writeAs(sshDir+"/far_config", []byte(config), 0o644, 0, 0); err != nil {
		return err
	}
	log, err := os.OpenFile(sshDir+"/far_log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	d := &sshd{cmd: exec.Command("nsenter", "--net=/run/netns/far", path, "-D", "-e", "-f", sshDir+"/far_config"), died: make(chan struct{})}
	d.cmd.Env, d.cmd.Stdout, d.cmd.Stderr, d.cmd.Dir = []string{"PATH=" + securePath}, log, log, "/"
	if err := f.reaper.start(d.cmd); err != nil {
		return err
	}
	go func() {
		_ = d.cmd.Wait() // how it ended is in its log
		close(d.died)
	}()
	f.far = d
	return errors.Join(f.farAnswers(log.Name()), f.writeNetworkFiles())
}

// farAnswers waits until the far server greets in the caller's place.
func (f *first) farAnswers(log string) error {
	const probe = "exec 3<>/dev/tcp/" + farAddress + "/2222 && head -c 4 <&3"
	for deadline := time.Now().Add(10 * time.Second); ; {
		out, err := f.reaper.output(exec.Command("nsenter", "--net="+callerPlace, "bash", "-c", probe))
		if err == nil && string(out) == "SSH-" {
			return nil
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the far sshd does not answer: %.200q; its log: %.400q", out, text)
		}
		select {
		case <-f.far.died:
			text, _ := os.ReadFile(log)
			return fmt.Errorf("the far sshd ended: %.400q", text)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (f *first) writeNetworkFiles() error {
	s := f.stage
	key, err := os.ReadFile(sshDir + "/host.pub")
	if err != nil {
		return err
	}
	known := fmt.Sprintf("[%s]:%d %s\n", farAddress, farPort, strings.Join(strings.Fields(string(key))[:2], " "))
	config := fmt.Sprintf(`Host %s
  Port %d
  User %s
  IdentityFile %s
  IdentitiesOnly yes
  UserKnownHostsFile %s/.ssh/network_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
`, farAddress, farPort, s.User, s.Identity, s.Home)
	return errors.Join(
		writeAs(s.Home+"/.ssh/network_hosts", []byte(known), 0o600, s.UID, s.GID),
		writeAs(s.Home+"/.ssh/network", []byte(config), 0o600, s.UID, s.GID),
	)
}
