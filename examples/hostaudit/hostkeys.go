package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// HostKeyQuery asks about the keys by which this machine's ssh server proves who it is.
type HostKeyQuery struct {
	Dir string // default /etc/ssh
}

// HostKeyReport is the answer. It holds nothing of a private key but its mode.
type HostKeyReport struct {
	Keys []HostKey
	Findings
}

// A HostKey is a pair of files.
type HostKey struct {
	File        string // of the private key
	Mode        string // of the private key, as ls shows it
	Type        string // such as "ssh-ed25519"
	Bits        int
	Fingerprint string // as ssh-keygen -l shows it
}

// String is the report in a few words.
func (r HostKeyReport) String() string { return fmt.Sprintf("%d host keys", len(r.Keys)) }

// maxHostKeys bounds the list. A server has three or four.
const maxHostKeys = 100

func auditHostKeys(ctx context.Context, q HostKeyQuery) (HostKeyReport, error) {
	if q.Dir == "" {
		q.Dir = "/etc/ssh"
	}
	if _, err := os.ReadDir(q.Dir); err != nil {
		return HostKeyReport{}, fmt.Errorf("hostkeys: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(q.Dir, "ssh_host_*_key"))
	if err != nil {
		return HostKeyReport{}, fmt.Errorf("hostkeys: %w", err)
	}
	var report HostKeyReport
	for _, file := range files[:min(len(files), maxHostKeys)] {
		if err := ctx.Err(); err != nil {
			return HostKeyReport{}, err
		}
		report.look(file)
	}
	return report, nil
}

// look judges one pair. The public half is enough for type and strength; whether the private one belongs to it only
// root can see.
func (r *HostKeyReport) look(file string) {
	info, err := os.Stat(file)
	if err != nil {
		r.add(Warn, file, "cannot be looked at: "+reason(err), "")
		return
	}
	key := HostKey{File: plain(file), Mode: info.Mode().String()}
	r.judgeMode(file, info)
	public, why := publicHalf(file + ".pub")
	switch private, err := privatesPublicHalf(file); {
	case errors.Is(err, fs.ErrPermission):
		r.add(Note, file, "not compared with its public half: "+reason(err), "run the audit as root")
	case err != nil:
		r.add(Warn, file, "private key: "+reason(err), "make a new one with ssh-keygen -A")
	case public == nil:
		public = private
	case private != nil && string(private) != string(public):
		r.add(High, file, "is not the private half of "+filepath.Base(file)+".pub", "find out who changed one of them")
	}
	if why != "" {
		r.add(Note, file+".pub", why, "make it again with ssh-keygen -y")
	}
	if public != nil {
		key.Type, key.Bits = keyStrength(public)
		sum := sha256.Sum256(public)
		key.Fingerprint = "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
		r.judgeStrength(key)
	}
	r.Keys = append(r.Keys, key)
}

func (r *HostKeyReport) judgeMode(file string, info fs.FileInfo) {
	if info.Mode().Perm()&0o077 != 0 {
		r.add(High, file, fmt.Sprintf("mode %s: others may read the key and pose as this machine", info.Mode()),
			"chmod 0600, and make new keys")
	}
	if why := weakness(info); why != "" {
		r.add(High, file, why, "chown root and chmod 0600")
	}
}

func (r *HostKeyReport) judgeStrength(k HostKey) {
	switch {
	case k.Type == "":
		r.add(Warn, k.File, "public half is not a key", "make it again with ssh-keygen -y")
	case k.Type == "ssh-dss":
		r.add(High, k.File, "DSA key", "remove it; ssh-keygen -A makes better ones")
	case k.Type == "ssh-rsa" && k.Bits < 2048:
		r.add(High, k.File, fmt.Sprintf("RSA key of %d bits can be broken", k.Bits), "make one of 3072 bits, or ed25519")
	case k.Type == "ssh-rsa" && k.Bits < 3072:
		r.add(Note, k.File, fmt.Sprintf("RSA key of %d bits", k.Bits), "make one of 3072 bits, or ed25519")
	}
}

// reason is the cause of a file error, without the path: the subject of the finding is the path.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
