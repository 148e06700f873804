package xssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/seed354a1416/deliveryboy/transport"
)

// maxKey is how long the file of a key or certificate may be, in bytes.
const maxKey = 1 << 20

// signers are the keys to try, in ssh's order: certificates first, then the agent's, then those of files. A problem is none
// for as long as there is another key.
func (p *place) signers(ctx context.Context) (list []ssh.Signer, done func(), problems []error) {
	held, done, err := p.held()
	if err != nil {
		problems = append(problems, err)
	}
	var files []ssh.Signer
	mine := map[string]bool{}
	for _, name := range p.identities {
		signer, public, err := readKey(ctx, name)
		if public != nil {
			mine[string(public.Marshal())] = true
		}
		switch {
		case signer != nil && !holds(held, public):
			files = append(files, signer)
		case err != nil && (p.named || !errors.Is(err, fs.ErrNotExist)) && !(public != nil && holds(held, public)):
			problems = append(problems, err)
		}
	}
	if p.only {
		var few []ssh.Signer
		for _, s := range held {
			if mine[string(s.PublicKey().Marshal())] {
				few = append(few, s)
			}
		}
		held = few
	}
	plain := append(held, files...)
	for _, name := range p.certificates() {
		signer, err := certify(name, plain)
		switch {
		case err == nil:
			list = append(list, signer)
		case !errors.Is(err, fs.ErrNotExist):
			problems = append(problems, err)
		}
	}
	return append(list, plain...), done, problems
}

// certificates are the files of certificates: those that were named, and those beside the keys.
func (p *place) certificates() []string {
	names := p.certs
	for _, name := range p.identities {
		names = append(names[:len(names):len(names)], name+"-cert.pub")
	}
	return names
}

func holds(signers []ssh.Signer, key ssh.PublicKey) bool {
	for _, s := range signers {
		if key != nil && bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// certify joins a certificate with its key.
func certify(name string, keys []ssh.Signer) (ssh.Signer, error) {
	public, err := readPublic(name)
	if err != nil {
		return nil, err
	}
	cert, ok := public.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("%s: is no certificate", name)
	}
	for _, key := range keys {
		if bytes.Equal(key.PublicKey().Marshal(), cert.Key.Marshal()) {
			return ssh.NewCertSigner(cert, key)
		}
	}
	return nil, fmt.Errorf("%s: the key of this certificate is not there", name)
}

// readKey reads the file of a private key. One with a passphrase is not opened before a host wants it. The public key is
// also returned where the private one cannot be used.
func readKey(ctx context.Context, name string) (ssh.Signer, ssh.PublicKey, error) {
	text, err := readFile(name, true)
	if err != nil {
		public, _ := readPublic(name + ".pub") // the private key may be an agent's
		return nil, public, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	missing := (*ssh.PassphraseMissingError)(nil)
	if errors.As(err, &missing) {
		public := missing.PublicKey
		if public == nil {
			public, _ = readPublic(name + ".pub")
		}
		switch {
		case !transport.Asks(ctx):
			return nil, public, fmt.Errorf("%s: has a passphrase, and there is nobody to ask; set Ask, or add the key to the agent", name)
		case public == nil:
			return nil, nil, fmt.Errorf("%s: has a passphrase, and %s.pub, which tells whose it is, is missing", name, name)
		}
		return &sealed{ctx: ctx, name: name, text: text, public: public}, public, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return signer, signer.PublicKey(), nil
}

func readPublic(name string) (ssh.PublicKey, error) {
	text, err := readFile(name, false)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

// readFile reads a file of keys. As with ssh, a private one that others can read is not used.
func readFile(name string, private bool) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if private && ok && int(st.Uid) == os.Getuid() && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: group or others have rights to this key (mode %04o); run chmod 600", name, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKey+1))
	if err == nil && len(text) > maxKey {
		err = fmt.Errorf("%s: has more than %d bytes", name, maxKey)
	}
	return text, err
}

// A sealed key has a passphrase. It is asked for when a host takes the key, once.
type sealed struct {
	ctx    context.Context // of the connection that it is for
	name   string
	text   []byte
	public ssh.PublicKey

	once sync.Once
	key  ssh.Signer
	err  error
}

func (s *sealed) PublicKey() ssh.PublicKey { return s.public }

func (s *sealed) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm implements ssh.AlgorithmSigner, without which an RSA key could sign by SHA-1 only.
func (s *sealed) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	s.once.Do(s.open)
	if s.err != nil {
		return nil, s.err
	}
	if a, ok := s.key.(ssh.AlgorithmSigner); ok {
		return a.SignWithAlgorithm(rand, data, algorithm)
	}
	return s.key.Sign(rand, data)
}

func (s *sealed) open() {
	secret, err := transport.Ask(s.ctx, fmt.Sprintf("Enter passphrase for key '%s': ", s.name))
	if err != nil {
		s.err = fmt.Errorf("%w: %s: %w", ErrAuth, s.name, err)
		return
	}
	defer clear(secret)
	s.key, err = ssh.ParsePrivateKeyWithPassphrase(s.text, secret)
	switch {
	case err != nil:
		s.err = fmt.Errorf("%w: %s: the passphrase is wrong; it was tried once: %w", ErrAuth, s.name, err)
	case !bytes.Equal(s.key.PublicKey().Marshal(), s.public.Marshal()):
		s.err = fmt.Errorf("%w: %s: %s.pub is of another key", ErrAuth, s.name, s.name)
	}
}
