package xssh

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// checkKey takes a host's key if it is known for that host, or certified by an authority that is, and no other. Nobody is
// asked, and nothing is written.
func (p *place) checkKey(_ string, remote net.Addr, key ssh.PublicKey) error {
	db, err := p.known()
	if err != nil {
		return err
	}
	revoked, err := p.revoked()
	if err != nil {
		return err
	}
	print, name := ssh.FingerprintSHA256(key), knownhosts.Normalize(p.alias)
	if cert, ok := key.(*ssh.Certificate); ok {
		print = ssh.FingerprintSHA256(cert.Key) + ", certified by " + ssh.FingerprintSHA256(cert.SignatureKey)
		if revoked[string(cert.Key.Marshal())] || revoked[string(cert.SignatureKey.Marshal())] {
			return fmt.Errorf("%w of %s is revoked: it is %s", ErrHostKey, name, print)
		}
	}
	err = db.HostKeyCallback()(p.alias, remote, key)
	switch {
	case err == nil:
		p.trusted = true
		return nil
	case revoked[string(key.Marshal())], errors.As(err, new(*xknownhosts.RevokedError)):
		return fmt.Errorf("%w of %s is revoked: it is %s", ErrHostKey, name, print)
	case knownhosts.IsHostKeyChanged(err):
		return fmt.Errorf("%w of %s has changed: it is %s now; do not connect before you know why", ErrHostKey, name, print)
	case knownhosts.IsHostUnknown(err):
		return fmt.Errorf("%w of %s is unknown: it is %s; compare it, then add it to the known hosts", ErrHostKey, name, print)
	}
	return fmt.Errorf("%w of %s: %w", ErrHostKey, name, err)
}

// known reads the files of known hosts that there are.
func (p *place) known() (*knownhosts.HostKeyDB, error) {
	var files []string
	for _, name := range p.hosts {
		if _, err := os.Stat(name); err == nil {
			files = append(files, name)
		}
	}
	db, err := knownhosts.NewDB(files...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHostKey, err)
	}
	return db, nil
}

// revoked are the keys of all lines with @revoked, whatever hosts they name. The callback compares them with a certificate as
// a whole; here they also stand for the key in it, and for the authority that made it, as with ssh.
func (p *place) revoked() (map[string]bool, error) {
	found := map[string]bool{}
	for _, name := range p.hosts {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // known has found those that are there
		}
		for len(text) > 0 {
			marker, _, key, _, rest, err := ssh.ParseKnownHosts(text)
			if err != nil {
				break // the end, or what known has refused
			}
			if text = rest; marker == "revoked" {
				found[string(key.Marshal())] = true
			}
		}
	}
	return found, nil
}
