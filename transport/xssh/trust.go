package xssh

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// checkKey takes a host's key if it is known for that host, and no other. Nobody is asked, and nothing is written.
func (p *place) checkKey(hostname string, remote net.Addr, key ssh.PublicKey) error {
	db, err := p.known()
	if err != nil {
		return err
	}
	err = db.HostKeyCallback()(hostname, remote, key)
	print := ssh.FingerprintSHA256(key)
	switch {
	case err == nil:
		p.trusted = true
		return nil
	case knownhosts.IsHostKeyChanged(err):
		return fmt.Errorf("%w of %s has changed: it is %s now; do not connect before you know why", ErrHostKey, hostname, print)
	case knownhosts.IsHostUnknown(err):
		return fmt.Errorf("%w of %s is unknown: it is %s; compare it, then add it to the known hosts", ErrHostKey, hostname, print)
	}
	return fmt.Errorf("%w of %s: %w", ErrHostKey, hostname, err)
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

// auth is how this user says who they are: with the keys of the files, and of the agent. Done closes the way to the agent.
func (p *place) auth() (auth ssh.AuthMethod, done func(), err error) {
	db, err := p.known()
	if err != nil {
		return nil, nil, err
	}
	p.algorithms = db.HostKeyAlgorithms(p.address) // a host may have keys of several kinds, and one of them be known
	var signers []ssh.Signer
	var problems []error
	for _, name := range p.identities {
		signer, err := readKey(name)
		if err == nil {
			signers = append(signers, signer)
		} else if !errors.Is(err, os.ErrNotExist) || p.only {
			problems = append(problems, err)
		}
	}
	done = func() {}
	if socket := os.Getenv("SSH_AUTH_SOCK"); socket != "" && !p.only {
		if conn, err := net.Dial("unix", socket); err == nil { //nolint:noctx,gosec // a unix socket, of the user's own choice, answers at once
			done = func() { conn.Close() }
			held, err := agent.NewClient(conn).Signers()
			problems = append(problems, err)
			signers = append(held, signers...)
		}
	}
	if len(signers) == 0 {
		done()
		return nil, nil, fmt.Errorf("%w: there is none: %w", ErrAuth, errors.Join(append(problems, errors.New("no agent and no key file that can be read"))...))
	}
	return ssh.PublicKeys(signers...), done, nil
}

func readKey(name string) (ssh.Signer, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, fmt.Errorf("%s: has a passphrase; add the key to the agent", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return signer, nil
}
