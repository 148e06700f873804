//go:build linux

package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// enter goes into a root directory of arm64, in namespaces of its own, and runs its other arguments there. P: programs get
// their argv[0] as it is, which busybox needs; F: the interpreter is opened now, since it is not below that root.
const enter = `#!/bin/sh
exec unshare -Urmpf /bin/sh -ec '
	root=$1 qemu=$2
	shift 2
	mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
	printf "%s" ":arm64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$qemu:PF" >/proc/sys/fs/binfmt_misc/register
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	exec chroot "$root" "$@"' enter ROOT QEMU "$@"
`

// farARM64 is a root directory with busybox for arm64, and nothing else.
func farARM64(t *testing.T) far {
	t.Helper()
	if runtime.GOARCH == "arm64" {
		t.Skip("NOT TESTED: this is arm64")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		missing(t, err.Error()+"; run: go run ./tests/stage/install")
	}
	busybox, err := os.ReadFile(stage.ForeignBusybox)
	if err != nil {
		missing(t, err.Error()+"; run: go run ./tests/stage/install")
	}
	root := filepath.Join(t.TempDir(), "root")
	for _, d := range []string{"bin", "dev", "proc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "bin/busybox"), busybox, 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	list, err := exec.Command("busybox", "--list").Output()
	if err != nil {
		missing(t, err.Error())
	}
	for name := range strings.FieldsSeq(string(list)) {
		if name != "busybox" {
			if err := os.Symlink("busybox", filepath.Join(root, "bin", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	script := filepath.Join(filepath.Dir(root), "enter")
	text := strings.NewReplacer("ROOT", root, "QEMU", qemu).Replace(enter)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	out, err := exec.Command(script, "/bin/uname", "-sm").CombinedOutput()
	if err != nil || string(out) != "Linux aarch64\n" {
		t.Skipf("NOT TESTED: the kernel takes no interpreters for a user namespace (Linux 6.7 does): %v: %s", err, out)
	}
	return far{"linux/arm64", []string{"env", script}, root}
}
