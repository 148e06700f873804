package mtls

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
)

// Pin is the digest of a certificate's public key, as lists and transport.TLS have it: "sha256:…".
func Pin(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return pinMark + base64.StdEncoding.EncodeToString(sum[:])
}

const pinMark = "sha256:"

// namesOf are all by which a certificate can stand on a list, the most telling first.
func namesOf(c *x509.Certificate) []string {
	var names []string
	for _, u := range c.URIs {
		names = append(names, "uri:"+u.String())
	}
	for _, d := range c.DNSNames {
		names = append(names, "dns:"+d)
	}
	if c.Subject.CommonName != "" {
		names = append(names, "cn:"+c.Subject.CommonName)
	}
	return append(names, Pin(c))
}

// checkName refuses an entry of a list that would match nothing, or more than it seems to.
func checkName(entry string) error {
	kind, rest, found := strings.Cut(entry, ":")
	if digest, isPin := strings.CutPrefix(entry, pinMark); isPin {
		sum, err := base64.StdEncoding.Strict().DecodeString(digest)
		if err == nil && len(sum) == sha256.Size {
			return nil
		}
	} else if found && rest != "" && slices.Contains([]string{"uri", "dns", "cn"}, kind) {
		return nil
	}
	return fmt.Errorf("mtls: name %.200q: it has to be uri:…, dns:…, cn:… or sha256:… of a certificate", entry)
}

// known finds a certificate on a list, and returns the entry; without a list, its first name.
func known(c *x509.Certificate, list []string, all bool) (string, error) {
	names := namesOf(c)
	if all {
		return names[0], nil
	}
	for _, entry := range list {
		if slices.Contains(names, entry) {
			return entry, nil
		}
	}
	return names[0], fmt.Errorf("%w: %.500s", ErrStranger, strings.Join(names, ", "))
}
