package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

// TOML says what JSON does.
func TestRunConfig(t *testing.T) {
	fromTOML, err := parseConfig(`
name = "web"
cmdline = "httpd -f"
argv = ["a b"]
program = "/usr/sbin/httpd"
shell = false
expand = true
env = { A = "1" }
inherit = "none"
user = "www"
group = 33
groups = [4, "adm"]
dir = "/srv"
umask = "027"
nice = 5
outputs = ["out", "err"]
input = true
streams = ["ctl"]
detach = false
grace = "30s"
wait_delay = "1.5s"
[limits]
nofile = "10:20"
core = 0
stack = "unlimited"
`)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := process.ParseConfig([]byte(`{"name": "web", "cmdline": "httpd -f", "argv": ["a b"], "program": "/usr/sbin/httpd",
		"expand": true, "env": {"A": "1"}, "inherit": "none", "user": "www", "group": 33, "groups": [4, "adm"], "dir": "/srv",
		"umask": "027", "nice": 5, "outputs": ["out", "err"], "input": true, "streams": ["ctl"], "grace": "30s",
		"wait_delay": "1.5s", "limits": {"nofile": "10:20", "core": 0, "stack": "unlimited"}}`))
	if err != nil || !reflect.DeepEqual(fromTOML, fromJSON) {
		t.Errorf("%+v\n%+v, %v", fromTOML, fromJSON, err)
	}
	for text, says := range map[string]string{
		"nme = 'x'":                    `"nme" is unknown`,
		"[limits]\nnofile = 'x'":       "limit",
		"[limit]\nnofile = 1":          `"limit`,
		"cmdline = 5":                  "cmdline",
		"grace = '5'":                  "unit",
		"x":                            "line 1",
		"cmdline = 'a'\ncmdline = 'b'": "line 2",
	} {
		if c, err := parseConfig(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}
