package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// This file knows how OpenSSH writes keys, and judges nothing.

// publicHalf reads a .pub file: type, base64, comment. It returns the key as ssh sends it, or why there is none.
func publicHalf(file string) (key []byte, why string) {
	data, _, err := readFile(file)
	if err != nil {
		return nil, reason(err)
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return nil, "is not a public key"
	}
	key, err = base64.StdEncoding.DecodeString(fields[1])
	if err != nil {
		return nil, "is not a public key"
	}
	return key, ""
}

var errNotKey = errors.New("not a private key that ssh can read")

// privatesPublicHalf returns the public key that a private key file carries in clear beside its secret. It is nil for
// keys in an older format, which does not.
func privatesPublicHalf(file string) ([]byte, error) {
	data, _, err := readFile(file)
	if err != nil {
		return nil, err
	}
	const begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
	text := strings.TrimSpace(string(data))
	switch older := strings.HasPrefix(text, "-----BEGIN "); {
	case strings.HasPrefix(text, begin) && strings.HasSuffix(text, end):
	case older && !strings.HasPrefix(text, begin):
		return nil, nil
	default:
		return nil, errNotKey
	}
	text = strings.Join(strings.Fields(text[len(begin):len(text)-len(end)]), "")
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errNotKey
	}
	rest, ok := strings.CutPrefix(string(blob), "openssh-key-v1\x00")
	if !ok {
		return nil, errNotKey
	}
	s := sshString{data: []byte(rest)}
	s.next() // cipher
	s.next() // key derivation
	s.next() // its options
	s.skip(4)
	public := s.next()
	if s.short {
		return nil, errNotKey
	}
	return public, nil
}

// keyStrength reads type and bits from a public key as ssh sends it; no type means that it is none.
func keyStrength(key []byte) (kind string, bits int) {
	s := sshString{data: key}
	kind = string(s.next())
	switch {
	case kind == "ssh-rsa":
		s.next() // the exponent
		bits = new(big.Int).SetBytes(s.next()).BitLen()
	case kind == "ssh-dss":
		bits = new(big.Int).SetBytes(s.next()).BitLen()
	case kind == "ssh-ed25519":
		bits = 256
		s.next()
	case strings.HasPrefix(kind, "ecdsa-sha2-nistp"):
		if _, err := fmt.Sscanf(kind, "ecdsa-sha2-nistp%d", &bits); err != nil {
			return "", 0
		}
		s.next()
	}
	if s.short {
		return "", 0
	}
	return plain(kind), bits
}

// sshString reads the strings of RFC 4251: four bytes of length, then the bytes.
type sshString struct {
	data  []byte
	short bool // something was missing
}

func (s *sshString) skip(n int) []byte {
	if n < 0 || n > len(s.data) {
		s.short, n = true, len(s.data)
	}
	head := s.data[:n]
	s.data = s.data[n:]
	return head
}

func (s *sshString) next() []byte {
	head := s.skip(4)
	if s.short {
		return nil
	}
	return s.skip(int(binary.BigEndian.Uint32(head)))
}
