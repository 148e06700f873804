//go:build linux

package xssh

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport/xssh"
)

// TestKnownHosts: every way in which a file of known hosts may tell of a host, and take it back.
func TestKnownHosts(t *testing.T) {
	d := newDaemon(t, "")
	place := "[127.0.0.1]:" + strconv.Itoa(d.port)
	key := read(t, d.hostKey+".pub")
	hashed := write(t, d.in("hashed"), place+" "+key)
	keygen(t, "-q", "-H", "-f", hashed)
	if strings.Contains(read(t, hashed), "127.0.0.1") {
		t.Fatal("it is not hashed")
	}
	otherHashed := write(t, d.in("otherhashed"), "[127.0.0.2]:"+strconv.Itoa(d.port)+" "+key)
	keygen(t, "-q", "-H", "-f", otherHashed)
	other := read(t, newKey(t, d.in("other"), "ed25519", "")+".pub")
	for _, c := range []struct{ name, known, settings, text string }{
		{"by name", place + " " + key, "", ""},
		{"hashed", read(t, hashed), "", ""},
		{"hashed, another", read(t, otherHashed), "", "is unknown"},
		{"wildcard", "[127.0.0.*]:" + strconv.Itoa(d.port) + " " + key, "", ""},
		{"wildcard without a port", "127.0.0.* " + key, "", ""},
		{"denied", "[127.0.0.*]:" + strconv.Itoa(d.port) + ",!" + place + " " + key, "", "is unknown"},
		{"by another name", "elsewhere " + key, "  HostKeyAlias elsewhere\n", ""},
		{"by its own name, where there is another", place + " " + key, "  HostKeyAlias elsewhere\n", "elsewhere is unknown"},
		{"one of two keys", place + " " + other + place + " " + key, "", ""},
		{"another key", place + " " + other, "", "has changed"},
		{"another port", "[127.0.0.1]:1 " + key, "", "is unknown"},
		{"revoked", place + " " + key + "@revoked * " + key, "", "is revoked"},
		{"another one revoked", place + " " + key + "@revoked * " + other, "", ""},
		{"its key as an authority", "@cert-authority " + place + " " + key, "", "no common algorithm for host key"},
		{"not to be asked", "", "  StrictHostKeyChecking no\n", "is unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, d.known, c.known)
			_, err := whoami.On(delivery.Once{Via: d.configured(t, usual+c.settings)})()
			judge(t, err, c.text, nil)
			if err != nil && !strings.Contains(c.text, "algorithm") && !errors.Is(err, xssh.ErrHostKey) {
				t.Errorf("%v; want %v", err, xssh.ErrHostKey)
			}
		})
	}
}

// judge wants no error, or one of a kind with a text.
func judge(t *testing.T, err error, text string, kind error) {
	t.Helper()
	if text == "" {
		if err != nil {
			t.Errorf("%+v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), text) || kind != nil && !errors.Is(err, kind) {
		t.Errorf("%v; want %q, %v", err, text, kind)
	}
}

// TestHostCertificates: an authority vouches for hosts, as far as its line goes and for as long as it is not revoked.
func TestHostCertificates(t *testing.T) {
	d := newDaemon(t, "HostCertificate DIR/host-cert.pub\n")
	place := "[127.0.0.1]:" + strconv.Itoa(d.port)
	ca := newKey(t, d.in("ca"), "ed25519", "")
	authority, key := read(t, ca+".pub"), read(t, d.hostKey+".pub")
	sign := func(args ...string) {
		keygen(t, append(append([]string{"-q", "-s", ca, "-I", "host", "-h"}, args...), d.hostKey+".pub")...)
	}
	other := read(t, newKey(t, d.in("other"), "ed25519", "")+".pub")
	valid := []string{"-n", "127.0.0.1"}
	for _, c := range []struct {
		name  string
		sign  []string
		known string
		text  string
	}{
		{"of the authority", valid, "@cert-authority " + place + " " + authority, ""},
		{"of the authority of all", valid, "@cert-authority * " + authority, ""},
		{"of another authority", valid, "@cert-authority * " + other, "host key"},
		{"of the authority of other hosts", valid, "@cert-authority *.example " + authority, "host key"},
		{"for another name", []string{"-n", "web1"}, "@cert-authority * " + authority, "host key"},
		{"expired", append([]string{"-V", "20200101:20200102"}, valid...), "@cert-authority * " + authority, "expired"},
		{"authority revoked", valid, "@cert-authority * " + authority + "@revoked * " + authority, "is revoked"},
		{"key revoked", valid, "@cert-authority * " + authority + "@revoked * " + key, "is revoked"},
		{"without the mark", valid, place + " " + authority, "has changed"},
		{"known by its key", valid, place + " " + key, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sign(c.sign...)
			d.reload(t)
			write(t, d.known, c.known)
			_, err := whoami.On(delivery.Once{Via: d.configured(t, usual)})()
			judge(t, err, c.text, xssh.ErrHostKey)
		})
	}
}

// TestUserCertificates: a certificate says who we are, beside its key or named in the configuration.
func TestUserCertificates(t *testing.T) {
	d := newDaemon(t, "TrustedUserCAKeys DIR/userca.pub\n")
	ca := newKey(t, d.in("userca"), "ed25519", "")
	key := newKey(t, d.in("me"), "ed25519", "")
	with := func(settings string) xssh.SSH {
		return d.configured(t, "  UserKnownHostsFile DIR/known\n  IdentitiesOnly yes\n  IdentityFile DIR/me\n"+settings)
	}
	call := func(h xssh.SSH) error { _, err := whoami.On(delivery.Once{Via: h})(); return err }
	judge(t, call(with("")), "is taken", xssh.ErrAuth)
	keygen(t, "-q", "-s", ca, "-I", "me", "-n", st.User, key+".pub")
	judge(t, call(with("")), "", nil)
	must(t, os.Rename(d.in("me-cert.pub"), d.in("elsewhere")))
	judge(t, call(with("")), "is taken", xssh.ErrAuth)
	judge(t, call(with("  CertificateFile DIR/elsewhere\n")), "", nil)
	keygen(t, "-q", "-s", ca, "-I", "me", "-n", "daemon", key+".pub")
	judge(t, call(with("")), "is taken", xssh.ErrAuth)
	judge(t, call(with("  CertificateFile DIR/me.pub\n")), "is no certificate", xssh.ErrAuth)
}

// TestConfiguration: what would mean something and is not understood is refused by name, wherever it stands.
func TestConfiguration(t *testing.T) {
	d := newDaemon(t, "")
	write(t, d.in("harmless"), "Host *\n  ForwardAgent yes\n")
	write(t, d.in("command"), "Host there\n  ProxyCommand nc x\n")
	write(t, d.in("unknown"), "Host other\n  NoSuchSetting yes\n")
	write(t, d.in("match"), "Match user root\n  Port 1\n")
	must(t, os.WriteFile(d.in("open"), nil, 0o666))
	must(t, os.Chmod(d.in("open"), 0o666)) //nolint:gosec // the mistake that is tested
	for _, c := range []struct{ name, settings, text string }{
		{"harmless", "  ForwardAgent yes\n  Compression yes\n  SendEnv LANG\n  ControlMaster auto\n  StrictHostKeyChecking ask\n", ""},
		{"values that mean nothing", "  ProxyCommand none\n  CanonicalizeHostname no\n  RevokedHostKeys none\n", ""},
		{"tokens", "  IdentityFile %d/none-%u-%r\n  AddressFamily inet\n", ""},
		{"of other hosts", "Host other\n  ProxyCommand x\n", ""},
		{"Match all", "Match all\n  Compression yes\n", ""},
		{"included", "Include DIR/harmless\n", ""},
		{"ProxyCommand", "  ProxyCommand nc %h\n", "ProxyCommand nc %h"},
		{"KnownHostsCommand", "  KnownHostsCommand /bin/echo\n", "KnownHostsCommand"},
		{"PKCS11Provider", "  PKCS11Provider /lib/x.so\n", "PKCS11Provider"},
		{"RevokedHostKeys", "  RevokedHostKeys /etc/krl\n", "RevokedHostKeys"},
		{"HostKeyAlgorithms", "  HostKeyAlgorithms ssh-rsa\n", "HostKeyAlgorithms"},
		{"Ciphers", "  Ciphers aes256-gcm@openssh.com\n", "Ciphers"},
		{"CASignatureAlgorithms", "  CASignatureAlgorithms ssh-ed25519\n", "CASignatureAlgorithms"},
		{"CanonicalizeHostname", "  CanonicalizeHostname always\n", "CanonicalizeHostname"},
		{"BindInterface", "  BindInterface eth0\n", "BindInterface"},
		{"PreferredAuthentications", "  PreferredAuthentications publickey\n", "PreferredAuthentications"},
		{"for all hosts", "Host *\n  ProxyCommand nc %h\n", "ProxyCommand nc %h"},
		{"in another case", "  proxycommand nc %h\n", "ProxyCommand nc %h"},
		{"unknown", "  NoSuchSetting yes\n", "NoSuchSetting yes"},
		{"unknown, of other hosts", "Host other\n  NoSuchSetting yes\n", "NoSuchSetting yes"},
		{"Match exec", "Match exec true\n  User root\n", "Match"},
		{"Match host", "Match host there\n  User root\n", "Match host there"},
		{"included command", "Include DIR/command\n", "ProxyCommand nc x"},
		{"included, unknown", "Include DIR/unknown\n", "NoSuchSetting yes"},
		{"included match", "Include DIR/match\n", "Match"},
		{"included, of others", "Include DIR/open\n", "others can write to it"},
		{"itself included", "Include DIR/config\n", "include each other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := whoami.On(delivery.Once{Via: d.configured(t, usual+c.settings)})()
			judge(t, err, c.text, nil)
		})
	}
}
