package mtls

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport/handover"
	"github.com/seed354a1416/deliveryboy/worker/server"
)

// TestFiles: a key that others can read, and what holds something else, is refused before anybody listens.
func TestFiles(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("web", leaf("web"))
	_, otherKey := a.issue("other", leaf("other"))
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(a.dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		must(t, os.Chmod(path, mode))
		return path
	}
	text, err := os.ReadFile(key)
	must(t, err)
	good := Server{Cert: cert, Key: key, ClientCA: a.pem}
	must(t, good.Check())
	for name, c := range map[string]struct {
		change func(s *Server)
		want   error
		text   string
	}{
		"nothing":             {func(s *Server) { *s = Server{} }, server.ErrOpen, ""},
		"no key":              {func(s *Server) { s.Key = "" }, server.ErrOpen, ""},
		"no authority":        {func(s *Server) { s.ClientCA = "" }, server.ErrOpen, ""},
		"a group reads":       {func(s *Server) { s.Key = write("g", string(text), 0o640) }, ErrFile, "mode 0640"},
		"others read":         {func(s *Server) { s.Key = write("o", string(text), 0o604) }, ErrFile, "mode 0604"},
		"others write":        {func(s *Server) { s.ClientCA = write("w", "x", 0o646) }, ErrFile, "can write"},
		"a missing file":      {func(s *Server) { s.Cert = filepath.Join(a.dir, "none") }, ErrFile, "no such file"},
		"a directory":         {func(s *Server) { s.Cert = a.dir }, ErrFile, "not a regular file"},
		"a device":            {func(s *Server) { s.ClientCA = "/dev/null" }, ErrFile, "not a regular file"},
		"an endless file":     {func(s *Server) { s.ClientCA = write("e", strings.Repeat("x", maxFile+1), 0o600) }, ErrFile, "more than"},
		"the key of another":  {func(s *Server) { s.Key = otherKey }, ErrFile, "private key does not match"},
		"no certificate":      {func(s *Server) { s.ClientCA = write("n", "x", 0o600) }, ErrFile, "holds no certificate"},
		"a key as authority":  {func(s *Server) { s.ClientCA = key }, ErrFile, "what is no certificate"},
		"a name of no kind":   {func(s *Server) { s.Names = []string{"me"} }, nil, "it has to be"},
		"a short digest":      {func(s *Server) { s.Names = []string{"sha256:AAAA"} }, nil, "it has to be"},
		"a bad line":          {func(s *Server) { s.NamesFile = write("l", "cn:\n", 0o600) }, nil, "it has to be"},
		"a name of anybody's": {func(s *Server) { s.ClientCA, s.Names = "", []string{"cn:me"} }, nil, "anybody can make"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			c.change(&s)
			if err := s.Check(); err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v; want %v %q", err, c.want, c.text)
			}
		})
	}
}

// TestRecipe runs the page, and uses what it makes.
func TestRecipe(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must have openssl")
		}
		t.Skip("NOT TESTED, no openssl; run: go run ./tests/stage/install")
	}
	page, err := os.ReadFile("CERTIFICATES.md")
	must(t, err)
	_, script, _ := strings.Cut(string(page), "```sh\n")
	script, _, found := strings.Cut(script, "```")
	if !found {
		t.Fatal("the page has no script")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-e", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s := Server{Cert: in("web1.pem"), Key: in("web1.key"), ClientCA: in("ca.pem"), Names: []string{"cn:deployer"}, Revoked: in("crl.pem")}
	must(t, s.Check())
	address, verdicts := admit(t, s)
	said, err := reach(t, handover.Far{Address: address, Cert: in("deployer.pem"), Key: in("deployer.key"), CA: in("ca.pem"), CRL: in("crl.pem"), Name: "web1.example"})
	if v := <-verdicts; err != nil || said != "in" || v.who != "cn:deployer" || v.err != nil {
		t.Errorf("the caller: %q, %v; the server: %+v", said, err, v)
	}
	cmd = exec.CommandContext(t.Context(), "/bin/sh", "-e", "-c", script+"revoke deployer\nlists\n")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	address, verdicts = admit(t, s)
	said, err = reach(t, handover.Far{Address: address, Cert: in("deployer.pem"), Key: in("deployer.key"), CA: in("ca.pem"), CRL: in("crl.pem"), Name: "web1.example"})
	if v := <-verdicts; err != nil || said != "no" || !errors.Is(v.err, ErrRevoked) {
		t.Errorf("the caller, revoked: %q, %v; the server: %+v", said, err, v)
	}
	line := string(page)[strings.LastIndex(string(page), "openssl x509 -in web1"):]
	line, _, _ = strings.Cut(line, "\n")
	cmd = exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.Output()
	if got := pinMark + strings.TrimSpace(string(out)); err != nil || got != pinOf(t, in("web1.pem")) {
		t.Errorf("the digest of the page is %q, %v; want %q", got, err, pinOf(t, in("web1.pem")))
	}
}
