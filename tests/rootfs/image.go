package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Engine runs docker or podman, for at most a minute. The error has what it said.
func Engine(name string, stdin io.Reader, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = stdin
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// Import makes an image of files, which are those of [Make], and of a shell if that is asked for.
func Import(engine, image string, files map[string]string, shell bool) error {
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := Make(dir, files); err != nil {
		return err
	}
	if shell {
		if err := AddShell(dir); err != nil {
			return err
		}
	}
	var content bytes.Buffer
	tree := tar.NewWriter(&content)
	if err := errors.Join(tree.AddFS(os.DirFS(dir)), tree.Close()); err != nil {
		return err
	}
	return Engine(engine, &content, "import", "-", image)
}
