//go:build linux

package job

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Sealed is an argument with a secret.
type Sealed struct {
	File   string
	Secret box.Secret[string]
}

// measure waits until a file is there, and returns the length of the secret.
var measure = registry.Register("measure.secret", func(ctx context.Context, s Sealed) (int, error) {
	for {
		if _, err := os.Stat(s.File); err == nil {
			return len(s.Secret.Reveal()), nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
})

// TestASecretLeavesTheDisk: while a job runs its arguments are on disk, for its user alone; then they are not any more.
func TestASecretLeavesTheDisk(t *testing.T) {
	const secret = "correct horse battery staple"
	state, file := t.TempDir(), filepath.Join(t.TempDir(), "end")
	ctx := short(t)
	c := delivery.Once{Via: transport.Self{}, Env: []string{"XDG_STATE_HOME=" + state}, Stdout: os.Stderr}
	j := must(job.Start(ctx, c, measure, Sealed{file, box.NewSecret(secret)}))
	if with := filesWith(t, state, secret); len(with) != 1 {
		t.Errorf("while it runs: %q", with)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Wait(ctx); err != nil || n != len(secret) {
		t.Fatal(n, err)
	}
	eventually(t, "the secret goes", func() bool { return len(filesWith(t, state, secret)) == 0 })
}

// filesWith are the files below a directory that have a text in them; others than their user must not read them.
func filesWith(t *testing.T, dir, text string) (names []string) {
	t.Helper()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // it may go meanwhile
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte(text)) {
			names = append(names, path)
			if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %v", path, info.Mode())
			}
		}
		return nil
	})
	return names
}
