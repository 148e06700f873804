//go:build linux

package systemd

import (
	"strings"
	"testing"
)

// TestBoot runs the units under a real systemd, one part after the other.
func TestBoot(t *testing.T) {
	c := boot(t)
	c.sh(t, `useradd app
cd /etc/systemd/system
deliveryboy kernel unit service > deliveryboy-kernel.service
deliveryboy kernel unit socket > deliveryboy-kernel.socket
deliveryboy pool unit --user app --pool-size 2 > deliveryboy-pool.service
deliveryboy pool unit --max-accepts 1 --socket /run/short/pool.sock > short.service
systemctl daemon-reload`)
	c.is(t, "cd /etc/systemd/system; systemd-analyze verify --man=no deliveryboy-kernel.service deliveryboy-kernel.socket deliveryboy-pool.service short.service 2>&1", "")
	for _, part := range []struct {
		name string
		test func(*testing.T, *container)
	}{
		{"activation", testActivation}, {"restart", testRestart}, {"reload", testReload}, {"strangers", testStrangers},
		{"holder", testHolder}, {"idle", testIdle}, {"alone", testAlone}, {"user", testUser}, {"pool", testPool}, {"drain", testDrain}, {"accepts", testAccepts},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, c) })
	}
}

const (
	mainPID = "systemctl show --value -p MainPID deliveryboy-kernel"
	holder  = "deliveryboy kernel status --json | sed -n 's/.*\"holder\": \"\\(.*\\)\".*/\\1/p'"
	sleeper = "deliveryboy kernel shell list processes sleeper"
)

// watched looks that systemd watches the process that is to be signalled.
func watched(t *testing.T, c *container) {
	t.Helper()
	c.is(t, "[ $("+mainPID+") = $("+holder+") ] && systemctl is-active deliveryboy-kernel.service", "active")
}

// testActivation: the first client starts the kernel, and is answered; the log is in the journal.
func testActivation(t *testing.T, c *container) {
	c.sh(t, "systemctl enable --now deliveryboy-kernel.socket")
	c.is(t, "systemctl is-active deliveryboy-kernel.service || true", "inactive")
	c.is(t, "deliveryboy kernel shell set color red; deliveryboy kernel shell get color", "red")
	watched(t, c)
	c.is(t, "journalctl --no-pager -u deliveryboy-kernel | grep -c msg=serving", "1")
}

// testRestart: what the kernel has started goes on when the service is restarted, but for what prints: it gets SIGPIPE.
func testRestart(t *testing.T, c *container) {
	c.sh(t, `id=$(id -u app)
deliveryboy kernel shell make process sleeper uid=$id gid=$id -- sleep 100000
deliveryboy kernel shell make process talker -- sh -c 'while echo tick; do sleep 0.1; done'`)
	before := c.sh(t, sleeper)
	c.sh(t, "systemctl restart deliveryboy-kernel")
	watched(t, c)
	pid := strings.Fields(before)[1]
	if after := c.sh(t, sleeper); !strings.Contains(after, pid+" running=yes ") || !strings.Contains(after, "uid=") {
		t.Errorf("before: %s\nafter: %s", before, after)
	}
	c.is(t, "deliveryboy kernel shell get color", "red")
	c.until(t, "deliveryboy kernel shell list processes talker | grep -o running=no", "running=no")
}

// testReload: another program, and nothing is lost.
func testReload(t *testing.T, c *container) {
	c.sh(t, "deliveryboy kernel shell make process speaker -- sh -c 'while echo tick; do sleep 0.1; done'")
	before := c.sh(t, mainPID)
	c.sh(t, `cd /usr/local/bin; cp deliveryboy other; mv other deliveryboy
readlink /proc/$(`+mainPID+`)/exe | grep -q deleted
systemctl reload deliveryboy-kernel`)
	c.is(t, mainPID, before)
	watched(t, c)
	c.until(t, "readlink /proc/$("+mainPID+")/exe", "/usr/local/bin/deliveryboy")
	c.is(t, "deliveryboy kernel shell list processes speaker | grep -o running=yes; deliveryboy kernel shell remove processes speaker >/dev/null", "running=yes")
}

// testStrangers: what the kernel has started does not speak to systemd in its place.
func testStrangers(t *testing.T, c *container) {
	c.sh(t, `id=$(id -u app)
deliveryboy kernel shell make process stranger uid=$id gid=$id -- env NOTIFY_SOCKET=/run/systemd/notify systemd-notify --status=taken`)
	c.until(t, "deliveryboy kernel shell list processes stranger | grep -o running=no", "running=no")
	c.is(t, "systemctl show --value -p StatusText deliveryboy-kernel", "")
	watched(t, c)
}

// testHolder: when the process dies that systemd watches, the kernel goes on, as the service; and it ends with it.
func testHolder(t *testing.T, c *container) {
	before := c.sh(t, mainPID)
	c.sh(t, "deliveryboy kernel shell make socket web; kill -KILL "+before)
	c.until(t, "deliveryboy kernel shell list sockets web | grep -o family=inet", "family=inet")
	c.until(t, "[ $("+mainPID+") = $("+holder+") ] && systemctl is-active deliveryboy-kernel.service", "active")
	c.is(t, "systemctl is-active deliveryboy-kernel.socket", "active")
	c.is(t, sleeper+" | grep -o running=yes; deliveryboy kernel shell get color", "running=yes\nred")
	after := c.sh(t, mainPID)
	c.sh(t, "systemctl stop deliveryboy-kernel.socket deliveryboy-kernel.service")
	c.is(t, "ls -d /proc/"+after+" /run/deliveryboy/kernel.sock 2>/dev/null || true", "")
	c.sh(t, "systemctl start deliveryboy-kernel.socket")
	c.is(t, sleeper+" | grep -o running=yes", "running=yes")
}

// testIdle: a kernel that has nothing to keep ends when it is told to, and comes again, however often.
func testIdle(t *testing.T, c *container) {
	c.sh(t, "deliveryboy kernel shell stop processes sleeper; deliveryboy kernel shell remove processes '*'; deliveryboy kernel shell remove sockets '*'; deliveryboy kernel shell set color ''")
	for range 8 { // more than systemd would start by itself
		c.until(t, "deliveryboy kernel shell list processes | wc -l", "0")
		c.sh(t, "deliveryboy kernel shell exit-if-idle")
		c.until(t, "systemctl show --value -p ActiveState deliveryboy-kernel.service", "inactive")
		c.is(t, "systemctl is-active deliveryboy-kernel.socket", "active")
	}
	c.sh(t, "deliveryboy kernel status")
	watched(t, c)
}

// testAlone: the service without the socket's unit.
func testAlone(t *testing.T, c *container) {
	c.sh(t, "systemctl disable --now deliveryboy-kernel.socket; systemctl stop deliveryboy-kernel.service; systemctl start deliveryboy-kernel.service; deliveryboy kernel status")
	watched(t, c)
	c.sh(t, "kill -KILL $("+mainPID+")")
	c.until(t, "[ $("+mainPID+") = $("+holder+") ] && systemctl is-active deliveryboy-kernel.service", "active")
	c.sh(t, "systemctl stop deliveryboy-kernel.service")
	c.is(t, "ls /run/deliveryboy/kernel.sock 2>/dev/null || true", "")
}

// testUser: a user's own kernel, under that user's systemd. How that one comes to run is no matter of ours.
func testUser(t *testing.T, c *container) {
	c.sh(t, `mkdir -p /run/user/app; chown app /run/user/app; chmod 700 /run/user/app
systemd-run -q --unit=user-systemd -p User=app -p Delegate=yes -p Type=notify -E XDG_RUNTIME_DIR=/run/user/app -E HOME=/tmp/app /lib/systemd/systemd --user
cat > /usr/local/bin/as-app << "end"
#!/bin/bash
exec env XDG_RUNTIME_DIR=/run/user/app HOME=/tmp/app setpriv --reuid app --regid app --clear-groups bash -euc "$1"
end
chmod 755 /usr/local/bin/as-app`)
	const (
		main  = "systemctl --user show --value -p MainPID deliveryboy-kernel"
		known = "as-app '[ $(" + main + `) = $(deliveryboy kernel status --json | grep -o "holder.*[0-9]" | grep -o "[0-9]*$") ] && systemctl --user is-active deliveryboy-kernel.service'`
	)
	c.sh(t, `as-app 'mkdir -p ~/.config/systemd/user; cd ~/.config/systemd/user
deliveryboy kernel unit service > deliveryboy-kernel.service
deliveryboy kernel unit socket > deliveryboy-kernel.socket
systemctl --user daemon-reload; systemctl --user enable --now deliveryboy-kernel.socket
deliveryboy kernel shell make process sleeper -- sleep 100000'`)
	c.is(t, known, "active")
	c.sh(t, "as-app 'systemctl --user reload deliveryboy-kernel'")
	c.is(t, known, "active")
	c.sh(t, "kill -KILL $(as-app '"+main+"')")
	c.until(t, known, "active")
	c.is(t, "as-app '"+sleeper+" | grep -o running=yes'", "running=yes")
	c.sh(t, "as-app 'systemctl --user stop deliveryboy-kernel.socket deliveryboy-kernel.service'; systemctl stop user-systemd")
}

const runs = "deliveryboy pool run --user app --socket /run/deliveryboy-pool/pool.sock -- "

// testPool: when systemd says that the pool has started, clients can connect; a worker that dies is replaced.
func testPool(t *testing.T, c *container) {
	for range 7 {
		c.is(t, "systemctl restart deliveryboy-pool; "+runs+"id -un", "app")
	}
	c.is(t, runs+`printenv NOTIFY_SOCKET || true`, "")
	c.is(t, "stat -c '%a %U' /run/deliveryboy-pool", "700 app")
	c.is(t, "journalctl --no-pager -u deliveryboy-pool | grep -c msg=serving", "7")
}

// testDrain: a command that runs when systemd stops the pool has its time.
func testDrain(t *testing.T, c *container) {
	c.is(t, runs+`sh -c 'echo > /tmp/begun; sleep 2; echo finished' &
until [ -e /tmp/begun ]; do sleep 0.05; done
systemctl stop deliveryboy-pool; wait $!`, "finished")
	c.is(t, "systemctl show --value -p Result deliveryboy-pool; ls -d /run/deliveryboy-pool 2>/dev/null || true", "success")
}

// testAccepts: a pool that ends after so many clients is started again.
func testAccepts(t *testing.T, c *container) {
	c.sh(t, "systemctl start short")
	for range 3 {
		before := c.sh(t, "systemctl show --value -p MainPID short")
		c.is(t, "deliveryboy pool run --socket /run/short/pool.sock -- echo served", "served")
		c.until(t, `[ "$(systemctl show --value -p MainPID short)" != `+before+" ] && systemctl is-active short", "active")
	}
	c.sh(t, "systemctl stop short")
}
