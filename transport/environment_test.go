package transport_test

import (
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
)

func TestCheckEnv(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{"LANG=C", "A=", "_x=1", "http_proxy=http://h:1", "A=b=c", "TMPDIR=/tmp", "A=\t\xff", "Go=x", "PATH=/bin"} {
		if err := transport.CheckEnv(entry); err != nil {
			t.Errorf("%q: %v", entry, err)
		}
	}
	long := strings.Repeat("A", 4096)
	const names = "names are [A-Za-z_][A-Za-z0-9_]*"
	for entry, want := range map[string]string{
		"":             `environment "": has no '='; write NAME=VALUE`,
		"LANG":         `environment "LANG": has no '='; write NAME=VALUE`,
		"=x":           `environment variable "": has no name; write NAME=VALUE`,
		"1A=x":         `environment variable "1A": begins with a digit; ` + names,
		"A B=x":        `environment variable "A B": byte ' ' is not allowed; ` + names,
		"A-B=x":        `environment variable "A-B": byte '-' is not allowed; ` + names,
		"A\x00=x":      `environment variable "A\x00": byte '\x00' is not allowed; ` + names,
		"BASH_FUNC_x%": `environment "BASH_FUNC_x%": has no '='; write NAME=VALUE`,
		"Ä=x":          `environment variable "Ä": byte 0xc3 is not allowed; ` + names,
		long + "=x":    `environment variable "` + long[:80] + `"…: has 4096 bytes; at most 4095 are allowed`,
		"A=b\nC=d":     `environment variable "A": the value contains a newline, which is refused`,
		"A=b\x00":      `environment variable "A": the value contains a NUL byte, which is refused`,
	} {
		if err := transport.CheckEnv(entry); err == nil || err.Error() != "transport: "+want {
			t.Errorf("%.90q:\n got %v\nwant transport: %s", entry, err, want)
		}
	}
}

func TestCheckEnvDangerous(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GODEBUG", "GOTRACEBACK", "GOCOVERDIR",
		"BASH_ENV", "ENV", "IFS", "SHELLOPTS", "PS4", "BASH_FUNC_ls", "PERL5LIB", "PERL5OPT", "PYTHONPATH", "PYTHONSTARTUP",
		"MALLOC_CHECK_", "GCONV_PATH", "NLSPATH", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "GLIBC_TUNABLES",
		"RUBYOPT", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "TERMINFO", "KRB5_CONFIG", "LOCPATH",
	} {
		want := `transport: environment variable "` + name + `": is never passed to a worker: it can make a privileged program load other code`
		if err := transport.CheckEnv(name + "=x"); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := (transport.Sudo{PreserveEnv: []string{name}}).Command([]string{"/x"}); err == nil {
			t.Errorf("sudo would preserve %s", name)
		}
	}
}

func TestCheckEnvironment(t *testing.T) {
	t.Parallel()
	if err := transport.CheckEnvironment([]string{"A=1", "B=2"}); err != nil {
		t.Error(err)
	}
	half := strings.Repeat("x", 512<<10-3)
	if err := transport.CheckEnvironment([]string{"A=" + half, "B=" + half}); err != nil {
		t.Errorf("exactly 1 MiB: %v", err)
	}
	for want, entries := range map[string][]string{
		"transport: environment: has 1048577 bytes; at most 1048576 are allowed, send data on stdin": {"A=" + half, "BC=" + half},
		`transport: environment variable "A": is given twice`:                                        {"A=1", "B=1", "A=1"},
		`transport: environment variable "1": begins with a digit; names are [A-Za-z_][A-Za-z0-9_]*`: {"A=1", "1=1"},
	} {
		if err := transport.CheckEnvironment(entries); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
