package xssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/kevinburke/ssh_config"
)

const (
	useSSH    = "it is not known here; use transport.SSH, which runs ssh"
	maxConfig = 1 << 20 // bytes of one file
	maxDepth  = 5       // of files that include others
)

// settings are what ssh's configuration says.
type settings []*ssh_config.Config

// readSettings reads the user's configuration and the system's, or the one file that replaces both.
func readSettings(file string) (settings, error) {
	names := []string{"~/.ssh/config", "/etc/ssh/ssh_config"}
	switch file {
	case "none":
		return nil, nil
	case "":
	default:
		names = []string{file}
	}
	var all settings
	for _, name := range names {
		name, err := expand(name)
		if err != nil {
			return nil, err
		}
		c, err := readConfig(name, 0)
		if errors.Is(err, fs.ErrNotExist) && file == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ssh's configuration: %w", err)
		}
		all = append(all, c)
	}
	return all, nil
}

// readConfig reads a file that only root and this user can change, and makes sure that nothing in it means more than is
// understood.
func readConfig(name string, depth int) (*ssh_config.Config, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: files include each other more than %d deep", name, maxDepth)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || st.Uid != 0 && int(st.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s: others can write to it, or own it", name)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return nil, fmt.Errorf("%s: has more than %d bytes", name, maxConfig)
	}
	if err := vetIncludes(name, text, depth); err != nil {
		return nil, err
	}
	c, err := ssh_config.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w; use transport.SSH, which runs ssh", name, err)
	}
	for _, h := range c.Hosts {
		if err := vet(h); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
}

// vetIncludes looks at included files before the parser reads them: it asks nobody whose they are.
func vetIncludes(name string, text []byte, depth int) error {
	for line := range strings.Lines(string(text)) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n=", r) })
		if len(words) < 2 || !strings.EqualFold(words[0], "include") {
			continue
		}
		for _, word := range words[1:] {
			if strings.HasPrefix(word, "#") {
				break
			}
			pattern, err := included(name, word)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			files, err := filepath.Glob(pattern)
			if err != nil {
				return fmt.Errorf("%s: Include %s: %w", name, word, err)
			}
			for _, file := range files {
				if _, err := readConfig(file, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// included is where the parser looks for a file.
func included(in, word string) (string, error) {
	if strings.Contains(word, `"`) || !filepath.IsAbs(word) && strings.HasPrefix(in, "/etc/") {
		return "", fmt.Errorf("Include %s: %s", word, useSSH) //nolint:revive,staticcheck // the name of a setting
	}
	if filepath.IsAbs(word) || strings.HasPrefix(word, "~/") {
		return expand(word)
	}
	return expand("~/.ssh/" + word)
}

// vet refuses what the parser would take for something else than ssh does, and settings that nobody knows.
func vet(h *ssh_config.Host) error {
	if head := strings.TrimSpace(h.String()); len(head) > 5 && strings.EqualFold(head[:5], "match") {
		line, _, _ := strings.Cut(head, "\n")
		if words := strings.Fields(line); len(words) != 2 || !strings.EqualFold(words[1], "all") {
			return fmt.Errorf("%s: %s", line, useSSH)
		}
	}
	for _, node := range h.Nodes {
		kv, ok := node.(*ssh_config.KV)
		if !ok {
			continue
		}
		key := strings.ToLower(kv.Key)
		if _, isRefused := refused[key]; !isRefused && !known[key] && !harmless[key] {
			return fmt.Errorf("%s %s: %s", kv.Key, kv.Value, useSSH)
		}
	}
	return nil
}

// all are the values of a setting for a host, those of the user before the system's.
func (all settings) all(host, key string) (values []string) {
	for _, c := range all {
		if v, err := c.GetAll(host, key); err == nil {
			values = append(values, v...)
		}
	}
	return values
}

// first is the value that counts where there can be one.
func (all settings) first(host, key string) string {
	if values := all.all(host, key); len(values) > 0 {
		return strings.Trim(values[0], `"`)
	}
	return ""
}

// is reports whether a setting has a value, or, if it is not there, whether that is the usual one.
func (all settings) is(host, key, value string, usual bool) bool {
	v := all.first(host, key)
	return v == "" && usual || strings.EqualFold(v, value)
}

// refuse reports a setting for this host that would mean something.
func (all settings) refuse(host string) error {
	for key, nothing := range refused {
		value := all.first(host, key)
		if value != "" && !slices.Contains(nothing, strings.ToLower(value)) {
			return fmt.Errorf("%s %s in ssh's configuration: %s", title[key], value, useSSH)
		}
	}
	return nil
}

// title is how ssh_config(5) writes the settings that are refused.
var title = map[string]string{
	"proxycommand": "ProxyCommand", "knownhostscommand": "KnownHostsCommand", "pkcs11provider": "PKCS11Provider",
	"securitykeyprovider": "SecurityKeyProvider", "bindaddress": "BindAddress", "bindinterface": "BindInterface",
	"revokedhostkeys": "RevokedHostKeys", "canonicalizehostname": "CanonicalizeHostname", "hostkeyalgorithms": "HostKeyAlgorithms",
	"ciphers": "Ciphers", "kexalgorithms": "KexAlgorithms", "macs": "MACs", "pubkeyacceptedalgorithms": "PubkeyAcceptedAlgorithms",
	"pubkeyacceptedkeytypes": "PubkeyAcceptedKeyTypes", "casignaturealgorithms": "CASignatureAlgorithms",
	"requiredrsasize": "RequiredRSASize", "preferredauthentications": "PreferredAuthentications",
	"refuseconnection": "RefuseConnection", "rsaminsize": "RSAMinSize", "smartcarddevice": "SmartcardDevice",
}

// expand makes an absolute path of one below the home directory.
func expand(name string) (string, error) {
	name = strings.Trim(name, `"`)
	rest, below := strings.CutPrefix(name, "~/")
	home := os.Getenv("HOME")
	switch {
	case below && filepath.IsAbs(home):
		return filepath.Join(home, rest), nil
	case !filepath.IsAbs(name):
		return "", fmt.Errorf("file %q of ssh's configuration: an absolute path, or one below a home that is known, is needed", name)
	}
	return name, nil
}
