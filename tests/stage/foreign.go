package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ForeignBusybox is busybox for linux/arm64, of Debian's own package, which [InstallForeign] puts there: a shell of another
// architecture, for qemu-user.
const ForeignBusybox = "/usr/local/lib/deliveryboy-stage/arm64/busybox"

// foreignConfig has apt-get look at another architecture's packages without this machine's knowing of it: all of its state is
// in a directory that goes away again.
const foreignConfig = `APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Dir::State "%[1]s";
Dir::State::status "%[1]s/status";
Dir::State::lists "%[1]s/lists";
Dir::Cache "%[1]s/cache";
`

// InstallForeign gets [ForeignBusybox], on a Debian system and as root, if it is missing. It changes nothing else, in
// particular not the architectures that this machine knows.
func InstallForeign(ctx context.Context, log io.Writer) (err error) {
	_, found := os.Stat(ForeignBusybox)
	_, apt := exec.LookPath("apt-get")
	switch {
	case found == nil || os.Getenv(roleVar) != "":
		return nil
	case runtime.GOOS != "linux" || os.Geteuid() != 0 || apt != nil:
		return fmt.Errorf("stage: no busybox for arm64 at %s; getting it needs Debian, and root", ForeignBusybox)
	}
	fmt.Fprintln(log, "stage: busybox for arm64 missing; getting Debian's busybox-static:arm64")
	dir, err := os.MkdirTemp("", "stage-arm64-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := filepath.Join(dir, "apt.conf")
	err = errors.Join(os.MkdirAll(filepath.Join(dir, "lists/partial"), 0o755), os.MkdirAll(filepath.Join(dir, "cache/archives/partial"), 0o755),
		os.WriteFile(filepath.Join(dir, "status"), nil, 0o600),
		os.WriteFile(config, fmt.Appendf(nil, foreignConfig, dir), 0o600))
	if err != nil {
		return err
	}
	const script = `apt-get -q update && apt-get -q download busybox-static && dpkg-deb -x busybox-static_*_arm64.deb . &&
		mkdir -p "${1%/*}" && cp bin/busybox "$1.new" && chmod 755 "$1.new" && mv "$1.new" "$1"`
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script, "sh", ForeignBusybox)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), "APT_CONFIG="+config, "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("stage: busybox for arm64: %w", err)
	}
	return nil
}
