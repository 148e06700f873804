//go:build linux

package passwords

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// dumps are those of some processes that may leave a core file.
var dumps = registry.Register("passwords.dumps", func(pids []int) (may []int, err error) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		if err != nil {
			return may, err
		}
		_, line, _ := strings.Cut(string(text), "Max core file size")
		if words := strings.Fields(line); len(words) < 2 || (words[0] != "0" || words[1] != "0") && !hidden(pid) {
			may = append(may, pid)
		}
	}
	return may, nil
})

// hidden reports whether a process of an ordinary user is not dumpable: then what is in /proc of it is root's.
func hidden(pid int) bool {
	dir := fmt.Sprintf("/proc/%d", pid)
	var of syscall.Stat_t
	if err := syscall.Stat(dir+"/mem", &of); err != nil || of.Uid != 0 {
		return false
	}
	status, err := os.ReadFile(dir + "/status")
	_, line, _ := strings.Cut(string(status), "\nUid:")
	uids := strings.Fields(line)
	return err == nil && len(uids) > 0 && uids[0] != "0"
}

// TestACrashLeavesNoPassword: whatever of a call that was let in by a password crashes, in each way that leaves a core file
// otherwise, leaves none, and nothing that is printed then has the password.
func TestACrashLeavesNoPassword(t *testing.T) {
	accounts(t)
	doasRules(t, "permit "+st.User+" as root")
	st.Root.SetSudoers(t, st.User+" ALL=(root) ALL\n"+st.User+" ALL=(root) NOPASSWD: "+st.Binary+" __deliver passwords.dumps\n")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	most := unix.Rlimit{Cur: limit.Max, Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &most); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) }()
	for _, c := range []struct {
		via    transport.Transport
		secret string
	}{
		{transport.Sudo{ResetTicket: true}, st.Password}, {transport.Su{}, rootsPassword}, {transport.Doas{}, st.Password},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGQUIT} {
			t.Run(fmt.Sprint(c.via, ", ", sig), func(t *testing.T) {
				before := cores(t)
				var printed strings.Builder
				s, err := delivery.Open(limited(t), c.via, session.Options{Ask: gives(c.secret).ask, Stderr: &printed, KeepExcess: true})
				if err != nil {
					t.Fatalf("%+v", err)
				}
				err = hold.On(s)(limited(t), func() error {
					all := workers(t)
					may, err := dumps.On(delivery.Once{Via: transport.Sudo{}})(all)
					if err != nil || len(all) == 0 || len(may) > 0 {
						t.Errorf("of %v, %v may leave a core file, %v", all, may, err)
					}
					for _, pid := range all {
						if err := st.Root.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
							t.Error(err)
						}
					}
					return nil
				})
				if err == nil {
					t.Error("nothing crashed")
				}
				text := fmt.Sprintf("%+v\n%v\n", err, s.Close()) + printed.String()
				if contains([]byte(text), c.secret) {
					t.Errorf("the password is in what was printed: %s", text)
				}
				if after := cores(t); !slices.Equal(before, after) {
					t.Errorf("core files: %q, before %q", after, before)
				}
			})
		}
	}
}

// cores are the core files where the processes of a call have their directories.
func cores(t *testing.T) (files []string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/", here, st.Home, st.SecondHome, os.TempDir()} {
		found, err := filepath.Glob(filepath.Join(dir, "core*"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}
