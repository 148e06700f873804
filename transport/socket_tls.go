package transport

import (
	"encoding/base64"
	"net"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// TLS is how both sides of a [Socket] on TCP know each other. All files are read by the connector, on the machine where
// the hop runs, anew for each connection: neither the caller nor the worker has the key.
type TLS struct {
	// Cert is the file of the certificate to show, PEM, its own first. Required.
	Cert string
	// Key is the file of its private key, PEM. It must belong to the user who connects and have no bit for others, such as
	// mode 0600. Required.
	Key string
	// CA is the file of the authorities that the server's certificate has to be of, PEM. The system's own ones do not count.
	// It or Pin is required; with both, both count.
	CA string
	// CRL is the file of what the authorities of CA have revoked: their lists, PEM, or one as DER. Each authority, those between
	// it and the server included, has to have one that is in time. Only with CA. Empty: nothing is revoked.
	CRL string
	// Pin is the key that the server has to have: "sha256:" and the SHA-256 of its public key (SubjectPublicKeyInfo) in
	// base64, as in RFC 7469.
	Pin string
	// Name is what the server's certificate has to be for. Empty: the host of the address.
	Name string
}

// maxPath is the longest path of a file, as in Linux.
const maxPath = 4095

func (s Socket) far() handover.Far {
	return handover.Far{
		Address: s.Address, Cert: s.TLS.Cert, Key: s.TLS.Key, CA: s.TLS.CA, Pin: s.TLS.Pin, Name: s.TLS.Name, CRL: s.TLS.CRL,
	}
}

// checkFar checks each field alone: in a spec, they come one after the other.
func (s Socket) checkFar() error {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return invalid("socket", s.Address, "is neither an absolute path nor host:port")
	}
	if err := CheckHost(host); err != nil {
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return invalid("socket", s.Address, "has no port from 1 to 65535")
	}
	if s.Path != "" || s.User != "" {
		return invalid("socket", s.Address, "is on TCP, where there is neither path nor user; certificates say who is who")
	}
	for _, f := range []struct{ what, path string }{
		{"socket cert", s.TLS.Cert}, {"socket key", s.TLS.Key}, {"socket ca", s.TLS.CA}, {"socket crl", s.TLS.CRL},
	} {
		if f.path == "" {
			continue
		}
		if f.path[0] != '/' || len(f.path) > maxPath {
			return invalid(f.what, f.path, "is not an absolute path of a file")
		}
		if err := checkText(f.what, f.path); err != nil {
			return err
		}
	}
	if s.TLS.Name != "" {
		if err := CheckHost(s.TLS.Name); err != nil {
			return err
		}
	}
	return checkPin(s.TLS.Pin)
}

// checkWhole refuses TCP without authentication of both sides.
func (s Socket) checkWhole() error {
	switch {
	case s.Address == "":
	case s.TLS.Cert == "" || s.TLS.Key == "":
		return invalid("socket", s.Address, "is on TCP, which needs a certificate and its key: add cert=FILE and key=FILE")
	case s.TLS.CA == "" && s.TLS.Pin == "":
		return invalid("socket", s.Address, "is on TCP, which needs to know the server: add ca=FILE or pin=sha256:…")
	case s.TLS.CA == "" && s.TLS.CRL != "":
		return invalid("socket crl", s.TLS.CRL, "is of an authority, and there is none: add ca=FILE, or leave it out")
	}
	return nil
}

func checkPin(pin string) error {
	if pin == "" {
		return nil
	}
	digest, found := strings.CutPrefix(pin, "sha256:")
	if sum, err := base64.StdEncoding.Strict().DecodeString(digest); !found || err != nil || len(sum) != 32 {
		return invalid("socket pin", pin, "is not sha256: and the SHA-256 of a public key in base64")
	}
	return nil
}
