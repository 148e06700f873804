package mtls

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// maxFile is how long a file of certificates, keys or names may be, in bytes.
const maxFile = 1 << 20

// read reads a file that nobody but root and this user can change; a secret one must be this user's, and nobody else's to
// read.
func read(path string, secret bool) ([]byte, error) { return readUpTo(maxFile, path, secret) }

func readUpTo(most int, path string, secret bool) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // nothing that could block
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	mode, me := info.Mode().Perm(), os.Geteuid()
	switch {
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%w: %s: is not a regular file", ErrFile, path)
	case !ok || int(st.Uid) != me && (secret || st.Uid != 0):
		err = fmt.Errorf("%w: %s: belongs to another user; give it to uid %d", ErrFile, path, me)
	case secret && mode&0o077 != 0:
		err = fmt.Errorf("%w: %s: group or others have rights to this key (mode %04o); run chmod 600", ErrFile, path, mode)
	case mode&0o022 != 0:
		err = fmt.Errorf("%w: %s: group or others can write to it (mode %04o); run chmod go-w", ErrFile, path, mode)
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	case len(text) > most:
		return nil, fmt.Errorf("%w: %s: has more than %d bytes", ErrFile, path, most)
	}
	return text, nil
}

// pair reads a certificate and its key.
func pair(cert, key string) (tls.Certificate, error) {
	chain, err := read(cert, false)
	if err != nil {
		return tls.Certificate{}, err
	}
	secret, err := read(key, true)
	if err != nil {
		return tls.Certificate{}, err
	}
	defer clear(secret)
	p, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return p, fmt.Errorf("%w: %s with %s: %w", ErrFile, cert, key, err)
	}
	return p, nil
}

// authorities reads the certificates of a file. One that is none is an error, and not left out.
func authorities(path string) (pool *x509.CertPool, all []*x509.Certificate, err error) {
	text, err := read(path, false)
	if err != nil {
		return nil, nil, err
	}
	pool = x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return nil, nil, fmt.Errorf("%w: %s: it holds what is no certificate (%s)", ErrFile, path, block.Type)
		}
		pool.AddCert(c)
		all = append(all, c)
	}
	if all == nil {
		return nil, nil, fmt.Errorf("%w: %s: it holds no certificate", ErrFile, path)
	}
	return pool, all, nil
}

// lines reads a list, one entry in a line; empty lines and those that begin with "#" do not count.
func lines(path string) (list []string, err error) {
	text, err := read(path, false)
	if err != nil {
		return nil, err
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && line[0] != '#' {
			list = append(list, line)
		}
	}
	return list, nil
}
