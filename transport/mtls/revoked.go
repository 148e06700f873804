package mtls

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// maxLists is how long a file of lists may be, in bytes: some 400 000 certificates.
	maxLists = 16 << 20
	// How much later than here it may be where a list was made.
	skew = time.Minute
)

// revoked are lists of certificates that do not count any more (CRL, RFC 5280), as their authorities made them.
type revoked []*x509.RevocationList

// readRevoked reads the lists of a file, PEM or one as DER, all of which have to be in time and fully understood.
func readRevoked(path string, now time.Time) (lists revoked, err error) {
	text, err := readUpTo(maxLists, path, false)
	if err != nil {
		return nil, err
	}
	ders, err := listsIn(text)
	for i := 0; err == nil && i < len(ders); i++ {
		var l *x509.RevocationList
		if l, err = x509.ParseRevocationList(ders[i]); err == nil {
			err = usable(l, now)
			lists = append(lists, l)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
	}
	return lists, nil
}

// listsIn are the parts of a file. One that is cut off is an error, and not left out.
func listsIn(text []byte) (ders [][]byte, err error) {
	const begin = "-----BEGIN "
	parts := bytes.Count(text, []byte(begin))
	if parts == 0 && len(text) > 0 {
		return [][]byte{text}, nil
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "X509 CRL" {
			return nil, fmt.Errorf("it holds what is no list of revoked certificates (%.40s)", block.Type)
		}
		ders = append(ders, block.Bytes)
	}
	if len(ders) == 0 || len(ders) != parts {
		return nil, fmt.Errorf("it holds %d lists of revoked certificates that are whole, and begins %d", len(ders), parts)
	}
	return ders, nil
}

// usable refuses a list that is out of time, or says more than is understood here: that it has only a part of what is
// revoked, for instance.
func usable(l *x509.RevocationList, now time.Time) error {
	switch {
	case l.NextUpdate.IsZero():
		return fmt.Errorf("the list of %s has no end (nextUpdate); make it with one", l.Issuer)
	case now.After(l.NextUpdate):
		return fmt.Errorf("the list of %s has expired: it counts until %s; get the next one", l.Issuer, l.NextUpdate.Format(time.RFC3339))
	case now.Add(skew).Before(l.ThisUpdate):
		return fmt.Errorf("the list of %s is of the future: it counts from %s; correct the clocks", l.Issuer, l.ThisUpdate.Format(time.RFC3339))
	}
	for _, e := range l.Extensions {
		if e.Critical {
			return fmt.Errorf("the list of %s has a critical extension %s, which is not understood; use full, direct lists", l.Issuer, e.Id)
		}
	}
	for _, entry := range l.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical {
				return fmt.Errorf("the list of %s has an entry with a critical extension %s, which is not understood; use full, direct lists", l.Issuer, e.Id)
			}
		}
	}
	return nil
}

// covers says which of the authorities have no list here.
func (r revoked) covers(authorities []*x509.Certificate) error {
	for _, a := range authorities {
		if _, err := r.of(a); err != nil {
			return err
		}
	}
	return nil
}

// check looks for each certificate of each chain but the last, which is an authority that somebody here chose.
func (r revoked) check(chains [][]*x509.Certificate) error {
	if len(chains) == 0 {
		return fmt.Errorf("%w: the certificate is of no authority that has one", ErrNoList)
	}
	for _, chain := range chains {
		for i, c := range chain[:len(chain)-1] {
			lists, err := r.of(chain[i+1])
			if err != nil {
				return err
			}
			for _, l := range lists {
				at := slices.IndexFunc(l.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
					return e.SerialNumber.Cmp(c.SerialNumber) == 0
				})
				if at >= 0 {
					return fmt.Errorf("%w: %.200s, by %.200s, since %s", ErrRevoked, c.Subject, l.Issuer,
						l.RevokedCertificateEntries[at].RevocationTime.Format(time.RFC3339))
				}
			}
		}
	}
	return nil
}

// of are the lists of one authority, which has signed them. An authority without a list is an error.
func (r revoked) of(a *x509.Certificate) (lists revoked, err error) {
	why := "there is none"
	for _, l := range r {
		if !bytes.Equal(l.RawIssuer, a.RawSubject) {
			continue
		}
		if err := l.CheckSignatureFrom(a); err != nil {
			why = strings.TrimPrefix(err.Error(), "x509: ")
			if a.KeyUsage != 0 && a.KeyUsage&x509.KeyUsageCRLSign == 0 {
				why = "its certificate does not allow it to sign one (keyUsage cRLSign)"
			}
			continue
		}
		lists = append(lists, l)
	}
	if lists == nil {
		return nil, fmt.Errorf("%w of %.200s: %s", ErrNoList, a.Subject, why)
	}
	return lists, nil
}
