package transport_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/transport"
)

var update = flag.Bool("update", false, "rewrite testdata/spec.golden from its inputs")

// TestGolden holds spec syntax 1 still: each input, its canonical form, and what each hop runs.
func TestGolden(t *testing.T) {
	const file = "testdata/spec.golden"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := privateDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("HOME", "/home/me")
	var b strings.Builder
	inputs := 0
	for line := range strings.Lines(string(want)) {
		if strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
		input, isInput := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "> ")
		if !isInput {
			continue
		}
		inputs++
		spec, err := transport.Parse(input)
		if err != nil {
			t.Fatalf("%s: %v", input, err)
		}
		steps, err := transport.Explain(spec.Via, []string{"/opt/app", "__deliver"})
		if err != nil {
			t.Fatalf("%s: %v", input, err)
		}
		fmt.Fprintf(&b, "\n> %s\n= %s\n", input, spec)
		for _, step := range steps {
			fmt.Fprintf(&b, "- %q\n", step.Argv)
		}
	}
	got := strings.ReplaceAll(b.String(), dir, "$DIR")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(want), got); diff != "" && !*update {
		t.Errorf("-want +got:\n%s", diff)
	}
	if inputs < 20 {
		t.Errorf("only %d inputs in %s", inputs, file)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	text := `nice=5//ssh=deploy@web1:2222//identity=~/.ssh/id//jump=u@gate:22,[::1]//option=Compression=yes//env:A=x/\/y//` +
		`option=LogLevel=ERROR//no_share//connect_timeout=1m//sudo=www//group=#33//home//login//preserve_env=A,B//` +
		`chdir=/srv\///umask=027//id=web.1//binary=/opt/app//command=env 'A=it''s' ''`
	got, err := transport.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	want := transport.Spec{
		Via: transport.Chain{
			transport.SSH{User: "deploy", Host: "web1", Port: 2222, Identity: "~/.ssh/id", Jump: "u@gate:22,[::1]",
				Options: []string{"Compression=yes", "LogLevel=ERROR"}, NoShare: true, ConnectTimeout: time.Minute},
			transport.Sudo{User: "www", Group: "#33", Home: true, Login: true, PreserveEnv: []string{"A", "B"}},
			transport.Command{Prefix: []string{"env", "A=it's", ""}},
		},
		ID: "web.1", Binary: "/opt/app", Dir: "/srv/", Nice: 5, Umask: "027", Env: []string{"A=x//y"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	again, err := transport.Parse(got.String())
	if err != nil || !reflect.DeepEqual(again, got) {
		t.Errorf("%s reads back as %+v, %v", got, again, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const kinds = "self, popen, sudo, ssh, userns, command, su, doas, runuser, setpriv, pkexec, run0, systemd_run, newroot, " +
		"unshare, nsenter, jexec, docker, docker_run, podman, nerdctl, kubectl, lxc, incus, lxc_attach, machinectl, " +
		"vagrant, bsub, srun, socket, template"
	const keys = kinds + ", group, home, login, sudo_dir, chroot, preserve_env, reset_ticket, program, identity, ssh_config, " +
		"known_hosts, jump, option, no_share, persist, connect_timeout, groups, no_new_privs, no_caps, machine, property, " +
		"user, namespaces, context, volume, network, pull, connection, namespace, container, kubeconfig, uid, project, " +
		"queue, node, partition, cert, key, ca, crl, pin, server_name, text, id, binary, chdir, nice, umask, env:NAME"
	const empty = `nothing between two "//" or at an end; take the "//" out`
	const three = `three slashes in a row; write a slash at the end of a value or after a slash as \/`
	for _, c := range []struct {
		text   string
		offset int
		want   string
	}{
		{"", 0, "is empty; begin with one of " + kinds},
		{"chdir=/srv", 10, "names no transport; add one of " + kinds},
		{"sudo//", 6, empty},
		{"//sudo", 0, empty},
		{"//", 0, empty},
		{"sudo////ssh=a", 4, three},
		{"chdir=/srv///sudo", 10, three},
		{"sudoo", 0, `unknown key "sudoo"; did you mean "sudo"?`},
		{"self//xyzzy=1", 6, `unknown key "xyzzy"; allowed are ` + keys},
		{"self//chdirr=/x", 6, `unknown key "chdirr"; did you mean "chdir"?`},
		{"sudo//frob=1", 6, `unknown key "frob"; allowed are ` + keys},
		{"self//=x", 6, `unknown key ""; allowed are ` + keys},
		{"popen//python=sudo python", 7,
			`key "python" is not known here: write binary=/path/of/the/program, and sudo as a hop of its own`},
		{"socket=h:1", 0, `socket "h:1": is on TCP, which needs a certificate and its key: add cert=FILE and key=FILE`},
		{"socket=h:1//cert=/c//key=/k", 0, `socket "h:1": is on TCP, which needs to know the server: add ca=FILE or pin=sha256:…`},
		{"socket=/x//sudo", 11, "sudo is behind a socket, whose server starts its own program and nothing else; put the socket last"},
		{"sudo//socket=/x//user=a//self//ssh=h", 31, "ssh is behind a socket, whose server starts its own program and nothing else; put the socket last"},
		{"socket=/x//socket=/y", 11, "socket is behind a socket, whose server starts its own program and nothing else; put the socket last"},
		{"socket=h:1//cert=c", 17, `socket cert "c": is not an absolute path of a file`},
		{"ssh", 0, `ssh host "": is empty; write ssh=HOST, ssh=USER@HOST or ssh=HOST:PORT`},
		{"sudo//ssh=", 10, `ssh host "": is empty; write ssh=HOST, ssh=USER@HOST or ssh=HOST:PORT`},
		{"ssh=-p 5000 host", 4, `host "-p 5000 host": options cannot stand before the host; ` +
			"write ssh=HOST:PORT for -p, and ssh_config=, identity= or option= for the others"},
		{"ssh=host:99999", 4, `port "99999": is out of range; ports go from 1 to 65535`},
		{"ssh=host:0", 4, `port "0": is out of range; ports go from 1 to 65535`},
		{"sudo=#-1", 5, `sudo user "#-1": is not a valid id; write '#' and a number from 0 to 4294967294`},
		{"sudo=#4294967295", 5, `sudo user "#4294967295": is not a valid id; write '#' and a number from 0 to 4294967294`},
		{"sudo=-u", 5, `sudo user "-u": must not begin with '-', it would be read as an option`},
		{"self=1", 5, `self "1": takes no value`},
		{"userns=x", 7, `userns "x": takes no value`},
		{"su=-c", 3, `su user "-c": must not begin with '-', it would be read as an option`},
		{"doas=#-1", 5, `doas user "#-1": is not a valid id; write '#' and a number from 0 to 4294967294`},
		{"doas=4294967295", 5, `doas user "#4294967295": is not a valid id; write '#' and a number from 0 to 4294967294`},
		{"runuser", 0, `runuser user "": is empty`},
		{"setpriv=www//no_new_privs", 0,
			`setpriv group "": is needed with a user; setpriv does not look up which group the user has`},
		{"sudo//setpriv", 6,
			`setpriv user "": is empty, and nothing else is asked for; give a user and group, no_new_privs or no_caps`},
		{"setpriv//groups=a,,b", 16, `setpriv groups "": is empty`},
		{"newroot", 0, `chroot directory "": is not an absolute path; begin it with '/'`},
		{"newroot=jail", 8, `chroot directory "jail": is not an absolute path; begin it with '/'`},
		{"unshare", 0, "unshare: names no namespaces; write for instance unshare=mount,net"},
		{"unshare=mout", 8, `unshare "mout": is no kind of namespace; did you mean "mount"?`},
		{"unshare=mount,xyzzy", 8,
			`unshare "xyzzy": is no kind of namespace; there are mount, uts, ipc, net, pid, cgroup, time, user`},
		{"nsenter=abc", 8, `nsenter target "abc": is not a number; write digits without a leading zero`},
		{"nsenter=0", 8, `nsenter target "0": must be the number of a process, 1 to 4194304`},
		{"nsenter=1//namespaces=pid", 22,
			`nsenter namespaces "pid": pid needs mount: /proc would show other processes`},
		{"docker", 0, `docker container "": is empty`},
		{"docker=-it", 7, `docker container "-it": must not begin with '-', it would be read as an option`},
		{"docker=web 1", 7, `docker container "web 1": byte ' ' at 3 is not allowed; use letters, digits, '_', '.', '-'`},
		{"docker=web1//user=a:b:c", 18, `docker group "b:c": byte ':' is not allowed; use letters, digits, '_', '.', '-'`},
		{"docker_run=a//volume=x:/y", 21, `docker volume "x": is not an absolute path; begin it with '/'`},
		{"docker_run=a//volume=/x", 21, `docker volume "/x": must be HERE:THERE, HERE:THERE:ro or HERE:THERE:rw`},
		{"docker_run=a//volume=/x:/y:z", 21, `docker volume "/x:/y:z": "z" is neither ro nor rw`},
		{"docker_run=a:b::c", 11, `docker image "a:b::c": "::" at 3 is not allowed; write [host[:port]/]name[:tag][@digest]`},
		{"kubectl=-c", 8, `kubectl pod "-c": must not begin with '-', it would be read as an option`},
		{"kubectl=Web-0", 8, `kubectl pod "Web-0": has capital letters; write "web-0"`},
		{"kubectl=web-", 8, `kubectl pod "web-": must end with a letter or a digit`},
		{"kubectl=web//namespace=a.b", 23, `kubectl namespace "a.b": byte '.' at 1 is not allowed; use letters, digits, '-'`},
		{"lxc=c_1", 4, `lxc instance "c_1": byte '_' at 1 is not allowed; use letters, digits, '-'`},
		{"incus=c1//uid=x", 14, `incus uid "x": is not a number; write digits without a leading zero`},
		{"machinectl", 0, `machinectl machine "": is empty`},
		{"systemd_run//property=A", 22, `systemd-run property "A": is not in the form Key=Value`},
		{"bsub=x", 5, `bsub "x": takes no value`},
		{"docker=a//queue=b", 10, `queue does not fit the hop before it, which is "docker=a"`},
		{"template=", 9, "template: has no program; give at least one word"},
		{"template=env", 9, `template "env": has 0 places for the worker's argv; write {argv} or {command} exactly once`},
		{"template=env {argv} {command}", 9,
			`template "env {argv} {command}": has 2 places for the worker's argv; write {argv} or {command} exactly once`},
		{"template=env x{argv}", 9,
			`template word 1 "x{argv}": {argv} must be a word of its own; {command} may stand within one`},
		{"template={argv}", 9, `template program "{argv}": is the place for argv; begin with a program`},
		{"sudo//home=yes", 11, `home "yes": takes no value; write home`},
		{"sudo//group", 6, `group "": needs a value; write group=…`},
		{"sudo//group=a//group=b", 15, "group is given twice for one hop, first at byte 6"},
		{"group=a//sudo", 0, "group refines the hop before it, and there is none yet"},
		{"ssh=web1//group=a", 10, `group does not fit the hop before it, which is "ssh=web1"`},
		{"sudo//identity=/x", 6, `identity does not fit the hop before it, which is "sudo"`},
		{"self//program=/x", 6, `program does not fit the hop before it, which is "self"`},
		{"sudo//program=./sudo", 14,
			`sudo program "./sudo": is a relative path; write an absolute path or a bare name: not safe to run`},
		{"sudo//chroot=x", 13, `sudo chroot "x": is not an absolute path; begin it with '/'`},
		{"sudo//preserve_env=A,,B", 19, `environment variable "": has no name; write NAME=VALUE (in PreserveEnv)`},
		{"ssh=h//persist=1.5s", 15, `ssh persist "1.5s": must be whole seconds from 1s to 24h0m0s`},
		{"ssh=h//persist=0s", 15, `ssh persist "0s": is not a time; write whole seconds, such as 30s or 2m`},
		{"ssh=h//connect_timeout=9999999h", 23, `ssh connect timeout "9999999h": is not a time; write whole seconds, such as 30s or 2m`},
		{"ssh=h//connect_timeout=abc", 23, `ssh connect timeout "abc": is not a time; write whole seconds, such as 30s or 2m`},
		{"ssh=h//option=BatchMode=no", 14,
			`ssh option "BatchMode=no": is set by this transport: nobody is there to answer a prompt`},
		{"ssh=h//option=StrictHostKeyChecking=no", 14, `ssh option "StrictHostKeyChecking=no": has to be yes, ask or accept-new: ` +
			"otherwise anybody between here and there can be the host"},
		{"ssh=h//option=-oX", 14, `ssh option "-oX": is not in the form Key=Value`},
		{"ssh=h//option=a b=c", 14,
			`ssh option "a b=c": the key before '=' must be letters and digits only, see ssh_config(5)`},
		{`ssh=h//option=A=b\x0aProxyCommand=id`, 14, `ssh option "A=b\nProxyCommand=id": contains the control byte 0x0a`},
		{"ssh=h//jump=-oX", 12, `host "-oX": must not begin with '-', it would be read as an option (in the jump hosts)`},
		{"ssh=h//identity=id", 16, `ssh identity "id": must be an absolute path or begin with ~/`},
		{`ssh=h//identity=/a"b`, 16, `ssh identity "/a\"b": contains ", which ssh reads as something else`},
		{"self//nice=1//nice=2", 14, "nice is given twice, first at byte 6"},
		{"self//nice=20", 11, `nice "20": must be a number from -20 to 19`},
		{"self//umask=8", 12, `umask "8": must be octal, from 000 to 0777`},
		{"self//umask=7777", 12, `umask "7777": must be octal, from 000 to 0777`},
		{"self//umask=", 12, `umask "": must be octal, from 000 to 0777`},
		{"self//binary=app", 13, `binary "app": is not an absolute path; begin it with '/'`},
		{"self//chdir", 6, `chdir "": must have 1 to 4095 bytes`},
		{`self//chdir=/\x00`, 12, `chdir "/\x00": contains the control byte 0x00`},
		{"self//id=a/b", 9, `id "a/b": byte '/' is not allowed; use letters, digits, '_', '.', '-'`},
		{"self//env:1A=x", 6, `environment variable "1A": begins with a digit; names are [A-Za-z_][A-Za-z0-9_]*`},
		{"self//env:A", 6, `environment "A": has no '='; write NAME=VALUE`},
		{"self//env:LD_PRELOAD=x", 6, `environment variable "LD_PRELOAD": is never passed to a worker: ` +
			"it can make a privileged program load other code"},
		{"self//env:A=1//env:A=2", 15, "env:A is given twice, first at byte 6"},
		{`self//env:A=b\x0a`, 6, `environment variable "A": the value contains a newline, which is refused`},
		{`self//env:A=\q`, 12, `unknown escape \q; there are \\, \/ and \xHH`},
		{`self//env:A=x\x4`, 13, `\x needs two hex digits, as in \x0a`},
		{`self//env:A=x\`, 13, `a backslash at the end; write \\ for a backslash`},
		{"command=", 8, "command: has no program; give at least one word"},
		{"command='a", 8, "command: at byte 0 of the value: a single quote is not closed"},
		{"command=a 'b'c", 8, "command: at byte 2 of the value: text right after the closing quote; put a space between words"},
		{"command=a b'c'", 8,
			"command: at byte 2 of the value: a quote inside a word; quote the whole word, and write '' for a quote in it"},
		{"command=./a", 8, `command program "./a": is a relative path; write an absolute path or a bare name: not safe to run`},
		{strings.Repeat("sudo//", 8) + "sudo", 48, "one hop too many; at most 8 are allowed"},
		{"sudo//sudo//sudo//ssh=a//sudo", 0,
			`chain: the hop "sudo" stands there more than 3 times; the chain runs in circles`},
	} {
		_, err := transport.Parse(c.text)
		var syntax *transport.SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a SyntaxError", c.text, err)
			continue
		}
		shown := fmt.Sprintf("%q", c.text)
		want := fmt.Sprintf("transport: spec %s: at byte %d: %s", shown, c.offset, c.want)
		if err.Error() != want || syntax.Offset != c.offset || syntax.Text != c.text {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, want)
		}
	}
}

func TestParseTooLong(t *testing.T) {
	t.Parallel()
	_, err := transport.Parse("self//chdir=/" + strings.Repeat("x", 4<<20))
	if err == nil || !strings.HasSuffix(err.Error(), "at byte 4194304: has 4194317 bytes; at most 4194304 are allowed") {
		t.Errorf("got %v", err)
	}
	value := strings.Repeat("x", 700<<10)
	_, err = transport.Parse("self//env:A=" + value + "//env:B=" + value)
	if err == nil || !strings.HasSuffix(err.Error(), "the environment passes 1048576 bytes; send data on stdin") {
		t.Errorf("got %.200v", err)
	}
}

func TestParseLax(t *testing.T) {
	t.Parallel()
	const text = `sudo//execmodel=thread//flag//empty=//x.y:z=a\x0ab`
	spec, err := transport.ParseLax(text)
	if err != nil {
		t.Fatal(err)
	}
	want := transport.Spec{Via: transport.Sudo{}, Extra: []string{"execmodel=thread", "flag", "empty=", "x.y:z=a\nb"}}
	if diff := cmp.Diff(want, spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if spec.String() != text {
		t.Errorf("printed as %s", spec)
	}
	for text, want := range map[string]string{
		"sudo//_x=1":   `at byte 6: unknown key "_x": must not be empty or begin with '_' or '-'`,
		"sudo//a b=1":  `at byte 6: unknown key "a b": byte ' ' is not allowed`,
		"sudo//x//x=1": `at byte 9: x is given twice, first at byte 6`,
		"sudo//nice=x": `at byte 11: nice "x": must be a number from -20 to 19`,
	} {
		if _, err := transport.ParseLax(text); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"self", "popen", "userns", "sudo=#0//home//login", "ssh=u@[fe80::1%eth0]:22//jump=a,b//option=A=b//persist=60s",
		"ssh=deploy@web1//sudo=root//chdir=/srv//nice=5//env:LANG=C", `command=env 'a''b' '' \\ x\/\x00`,
		`self//env:A=\/\\\xff`, "sudo//x=1", "a//b", "sudo///x", "ssh=-oProxyCommand=id",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (transport.Spec, error){transport.Parse, transport.ParseLax} {
			spec, err := parse(text)
			if err != nil {
				var syntax *transport.SyntaxError
				if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) || strings.ContainsAny(err.Error(), "\n\x00") {
					t.Fatalf("%q: bad error %q", text, err)
				}
				continue
			}
			printed := spec.String()
			again, err := parse(printed)
			if err != nil {
				t.Fatalf("%q is printed as %q: %v", text, printed, err)
			}
			if !reflect.DeepEqual(again, spec) || again.String() != printed {
				t.Fatalf("%q is printed as %q and reads back as %+v, want %+v", text, printed, again, spec)
			}
		}
	})
}

// TestParseKeepsLast: a backslash before the end once swallowed the segment that it stood in.
func TestParseKeepsLast(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`sudo//chdir=/x\`, `sudo=www\`, `sudo//nice\`} {
		if spec, err := transport.Parse(text); err == nil {
			t.Errorf("%q was read as %+v", text, spec)
		}
	}
}
