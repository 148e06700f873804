package stage

import (
	"fmt"
	"strings"
	"testing"
)

func TestHas(t *testing.T) {
	s := without("because", Sudo)
	if ok, why := s.Has(Sudo); ok || why != "because" {
		t.Errorf("Has(sudo) = %v, %q", ok, why)
	}
	if ok, why := s.Has(SSH); !ok || why != "" {
		t.Errorf("Has(ssh) = %v, %q", ok, why)
	}
	if ok, why := s.Has("wings"); ok || !strings.Contains(why, `"wings"`) {
		t.Errorf("Has(wings) = %v, %q", ok, why)
	}
	if got := s.Skips(); len(got) != 1 || got[0] != "sudo: because" {
		t.Errorf("Skips() = %q", got)
	}
}

// verdict is a TB that notes what a Need method does.
type verdict struct{ said string }

func (v *verdict) Helper()           {}
func (v *verdict) Cleanup(func())    {}
func (v *verdict) Skip(args ...any)  { v.said = "skip " + fmt.Sprint(args...) }
func (v *verdict) Fatal(args ...any) { v.said = "fatal " + fmt.Sprint(args...) }

func TestNeed(t *testing.T) {
	s := without("because", Sudo, SSH, SecondUser, PasswordSet, RootHelper)
	for name, need := range map[string]func(TB){
		Sudo: s.NeedSudo, SSH: s.NeedSSH, SecondUser: s.NeedSecond, PasswordSet: s.NeedPassword, RootHelper: s.NeedRoot,
	} {
		for _, c := range []struct{ ci, want string }{{"", "skip "}, {"true", "fatal "}} {
			t.Setenv("CI", c.ci)
			var v verdict
			need(&v)
			if !strings.HasPrefix(v.said, c.want) || !strings.Contains(v.said, name) || !strings.Contains(v.said, "because") {
				t.Errorf("CI=%q, need %s: %q", c.ci, name, v.said)
			}
		}
	}
	var v verdict
	if without("").NeedSudo(&v); v.said != "" {
		t.Errorf("nothing is missing, and yet: %q", v.said)
	}
}

func TestKept(t *testing.T) {
	for name, want := range map[string]bool{"CI": true, "TERM": true, "LD_PRELOAD": false, "APP_X": true, "APP": false, "ONE": true} {
		if got := kept(name, []string{"APP_*", "ONE"}); got != want {
			t.Errorf("kept(%q) = %v", name, got)
		}
	}
}
