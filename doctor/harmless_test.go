package doctor

import (
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
)

// TestHarmless: a question to a worker of root must not run what its asker chooses.
func TestHarmless(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sudo=www": "sudo=www",
		"sudo=www//sudo_dir=/x//preserve_env=LANG": "sudo=www",
		"sudo=www//program=/usr/bin/nice":          "", "sudo//chroot=/x": "",
		"ssh=web@host1:22//no_share":            "ssh=web@host1:22//no_share",
		"ssh=host1//ssh_config=/home/me/config": "", "ssh=host1//option=ProxyCommand=id": "", "ssh=host1//program=/bin/nice": "",
		"ssh=host1//identity=/root/x": "", "ssh=host1//known_hosts=/root/x": "", "ssh=host1//jump=host2": "",
	} {
		spec, err := transport.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := ""
		if hop := harmless(spec.Via); hop != nil {
			got = hop.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
