package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/transport"
)

// scenery are the words of the scripts that set a scene, as root, in a mount namespace of its own: nothing of it stays. /mnt
// is an empty directory of root's.
const scenery = `
mount -t tmpfs -o mode=755 t /mnt
fresh() { # a home with nothing in it but what ssh needs
	mkdir -m 700 /mnt/.home; cp -a $HOME_OF_USER/.ssh /mnt/.home/
	mount -t tmpfs -o mode=700,uid=$UID_OF_USER,gid=$UID_OF_USER t $HOME_OF_USER; cp -a /mnt/.home/.ssh $HOME_OF_USER/; cd $HOME_OF_USER
}
again() { mount -o "remount,$1" $HOME_OF_USER; } # the home, mounted otherwise
mine() { chown -R $UID_OF_USER:$UID_OF_USER "$@"; }
edit() { cp -a $1 /mnt/.file; sed -i "$2" /mnt/.file; mv /mnt/.file /mnt/.$$; mount --bind /mnt/.$$ $1; } # a file of /etc, by sed
shell() { edit /etc/passwd "s,^\($1:.*:\)[^:]*$,\1$2,"; }
field() { edit /etc/shadow "s/^$USER_OF_STAGE:.*/$USER_OF_STAGE:*:$1/"; } # the account's dates
doas() { echo "$1" > /mnt/doas.conf; : >> /etc/doas.conf; mount --bind /mnt/doas.conf /etc/doas.conf; } # its one rule
app() { cp $PROGRAM /mnt/app; } # the program
over() { for d; do mount -t tmpfs -o "$how,mode=1777" t $d; done; }
`

// script writes a script that sets a scene, and goes on with exec, where only root can change it.
func script(t *testing.T, scene, exec string) string {
	t.Helper()
	text := fmt.Sprintf("HOME_OF_USER=%s UID_OF_USER=%d USER_OF_STAGE=%s PROGRAM=%s\n%s%s\n%s\n", st.Home, st.UID, st.User, st.Binary, scenery, scene, exec)
	draft, file := filepath.Join(t.TempDir(), "scene"), filepath.Join(place(t, ""), "scene")
	if err := os.WriteFile(draft, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	asRoot(t, `cp "$1" "$2"`, draft, file)
	return file
}

// inside starts what follows as the user, in a scene, with more in its environment.
func inside(t *testing.T, scene string, env ...string) transport.Command {
	t.Helper()
	become := fmt.Sprintf(`cd /; exec setpriv --reuid %d --regid %d --clear-groups env -i PATH=/usr/bin:/bin HOME=%s USER=%s %s "$@"`,
		st.UID, st.UID, st.Home, st.User, strings.Join(env, " "))
	return transport.Command{Prefix: []string{"/usr/bin/sudo", "-n", "--", "/usr/bin/unshare", "-m", "/bin/sh", "-e", script(t, scene, become)}}
}

// limited starts what follows with a limit of prlimit.
func limited(limit string) transport.Command {
	return transport.Command{Prefix: []string{"prlimit", "--" + limit, "--"}}
}

// behind is an ssh server of its own in a scene, with more in its configuration; root starts it for this connection.
func behind(t *testing.T, scene, config string) transport.SSH {
	t.Helper()
	if !strings.Contains(config, "UsePAM") {
		config += "\nUsePAM no"
	}
	server := `cat > /mnt/sshd <<END
HostKey /run/stage/ssh/host
PidFile none
AuthorizedKeysFile .ssh/authorized_keys
Subsystem sftp internal-sftp
` + config + `
END
exec /usr/sbin/sshd -i -f /mnt/sshd -E /mnt/log`
	hop := sshHop()
	hop.Options = []string{"ProxyCommand=/usr/bin/sudo -n -- /usr/bin/unshare -m /bin/sh -e " + script(t, scene, server)}
	return hop
}

// scene is a machine, and the way to or through it.
type scene struct {
	name   string
	via    transport.Chain
	root   string // what root does before; empty with via
	env    string // of what root prepared
	sshd   string // configuration: ssh leads there; "-" for none
	rules  string // of sudo
	binary string
	deploy bool
}

// way is the way through the scene, and then on.
func (s scene) way(t *testing.T) transport.Chain {
	t.Helper()
	switch {
	case s.sshd != "":
		return append(transport.Chain{behind(t, s.root, strings.TrimPrefix(s.sshd, "-"))}, s.via...)
	case s.root != "":
		return append(transport.Chain{inside(t, s.root, strings.Fields(s.env)...)}, s.via...)
	}
	return s.via
}

// look examines the scene.
func (s scene) look(t *testing.T) ([]doctor.Finding, error) {
	t.Helper()
	st.NeedSudo(t)
	st.NeedSSH(t)
	via := s.way(t)
	if s.rules != "" {
		st.NeedRoot(t)
		st.Root.SetSudoers(t, filled(s.rules))
	}
	spec := transport.Spec{Via: via, Binary: st.Binary}
	if s.binary != "" {
		spec.Binary = s.binary
	}
	var o doctor.Options
	if s.deploy {
		spec.Binary, o.Deploy.On = "", true
	}
	return examine(t, spec, o)
}
