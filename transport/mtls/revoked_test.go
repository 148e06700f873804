package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// list makes a list of what the authority has revoked, as PEM.
func (a *authority) list(serials []*big.Int, change ...func(l *x509.RevocationList)) string {
	a.t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour)}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now()})
	}
	for _, f := range change {
		f(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.cert, a.key)
	must(a.t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// between is an authority that another one has made. Its certificates come with its own.
func (a *authority) between(name string) *authority {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key)
	must(a.t, err)
	c, err = x509.ParseCertificate(der)
	must(a.t, err)
	return &authority{t: a.t, dir: a.t.TempDir(), cert: c, key: k, pem: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// whole puts the authority's own certificate behind one of its own.
func (a *authority) whole(cert, key string) (string, string) {
	a.t.Helper()
	text, err := os.ReadFile(cert)
	must(a.t, err)
	must(a.t, os.WriteFile(cert, append(text, a.pem...), 0o600))
	return cert, key
}

// serial is that of a certificate's file.
func serial(t *testing.T, file string) *big.Int {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	return c.SerialNumber
}

func listExpired(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Second) }

// TestRevoked: what an authority has revoked is let in by nobody, on either side, and neither is anybody when nothing is known
// of that.
func TestRevoked(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	mid := a.between("mid")
	webCert, webKey := a.issue("web", leaf("web"))
	meCert, meKey := a.issue("me", leaf("me"))
	midCert, midKey := mid.whole(mid.issue("mine", leaf("mine")))
	me, web, mine := serial(t, meCert), serial(t, webCert), serial(t, midCert)
	none := []*big.Int(nil)
	other := big.NewInt(4711)
	for _, c := range []struct {
		name     string
		lists    string // of the server
		crl      string // of the caller
		mid      bool   // the caller's certificate is of the authority between
		serverIs error
		callerIs error
		said     string
		code     int
	}{
		{name: "nothing is revoked", lists: a.list(none), crl: a.list(none), said: "in"},
		{name: "others are revoked", lists: a.list([]*big.Int{other, web}), crl: a.list([]*big.Int{me}), said: "in"},
		{name: "the caller is", lists: a.list([]*big.Int{other, me}), said: "no", serverIs: ErrRevoked},
		{name: "the caller is, in a second list", lists: a.list([]*big.Int{other}) + a.list([]*big.Int{me}), said: "no", serverIs: ErrRevoked},
		{name: "the server's lists have expired", lists: a.list(none, listExpired), serverIs: ErrFile},
		{name: "one of the server's lists has expired", lists: a.list(none) + b.list(none, listExpired), serverIs: ErrFile},
		{name: "the list is of another authority of that name", lists: b.list(none), said: "no", serverIs: ErrNoList},
		{name: "an authority between, with a list", mid: true, lists: a.list(none) + mid.list(none), said: "in"},
		{name: "an authority between, without a list", mid: true, lists: a.list(none), said: "no", serverIs: ErrNoList},
		{name: "an authority between is revoked", mid: true, lists: a.list([]*big.Int{mid.cert.SerialNumber}) + mid.list(none), said: "no", serverIs: ErrRevoked},
		{name: "a caller is, by an authority between", mid: true, lists: a.list(none) + mid.list([]*big.Int{mine}), said: "no", serverIs: ErrRevoked},
		{name: "a number of another authority", mid: true, lists: a.list([]*big.Int{mine}) + mid.list([]*big.Int{me}), said: "in"},

		{name: "the server is", crl: a.list([]*big.Int{web}), serverIs: ErrCertificate, callerIs: ErrRevoked, code: 77},
		{name: "the caller's list has expired", crl: a.list(none, listExpired), callerIs: ErrFile, code: 78},
		{name: "the caller's list is of another authority", crl: b.list(none), serverIs: ErrCertificate, callerIs: ErrNoList, code: 77},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(name, text string) string {
				if text == "" {
					return ""
				}
				must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
				return filepath.Join(dir, name)
			}
			s := Server{Cert: webCert, Key: webKey, ClientCA: a.pem, Revoked: put("server", c.lists)}
			f := handover.Far{Cert: meCert, Key: meKey, CA: a.pem, CRL: put("caller", c.crl)}
			if c.mid {
				f.Cert, f.Key = midCert, midKey
			}
			var verdicts <-chan verdict
			f.Address, verdicts = admit(t, s)
			said, err := reach(t, f)
			if c.code != 78 { // then nobody connected
				if v := <-verdicts; !errors.Is(v.err, c.serverIs) || c.said == "in" && v.err != nil {
					t.Errorf("the server: %v; want %v", v.err, c.serverIs)
				}
			}
			var e *handover.DialError
			if said != c.said || !errors.Is(err, c.callerIs) || c.code != 0 && (!errors.As(err, &e) || e.Code != c.code) {
				t.Errorf("the caller: %q, %+v; want %q, %v, code %d", said, err, c.said, c.callerIs, c.code)
			}
		})
	}
}

// TestRevokedWithAPin: the key of the server does not make up for what its authority says.
func TestRevokedWithAPin(t *testing.T) {
	a := newAuthority(t)
	webCert, webKey := a.issue("web", leaf("web"))
	meCert, meKey := a.issue("me", leaf("me"))
	list := filepath.Join(a.dir, "list")
	f := handover.Far{Cert: meCert, Key: meKey, CA: a.pem, CRL: list, Pin: pinOf(t, webCert)}
	for _, c := range []struct {
		serials []*big.Int
		want    error
	}{{nil, nil}, {[]*big.Int{serial(t, webCert)}, ErrRevoked}} {
		must(t, os.WriteFile(list, []byte(a.list(c.serials)), 0o600))
		address, verdicts := admit(t, Server{Cert: webCert, Key: webKey, ClientCA: a.pem})
		f.Address = address
		if _, err := reach(t, f); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
		<-verdicts
	}
	f.CA = ""
	if _, err := configFor(f); err == nil || !strings.Contains(err.Error(), "of an authority") {
		t.Errorf("without an authority: %v", err)
	}
}

// TestLists: a server does not start with lists that would let in nobody, or that it does not understand.
func TestLists(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	weak := newAuthority(t)
	weak.cert.KeyUsage = x509.KeyUsageCertSign
	weak.key = nil
	weak.pem, _ = weak.issue("weak", weak.cert)
	weakList := func() string { // CreateRevocationList would refuse
		weak.cert.KeyUsage |= x509.KeyUsageCRLSign
		defer func() { weak.cert.KeyUsage = x509.KeyUsageCertSign }()
		return weak.list(nil)
	}
	cert, key := a.issue("web", leaf("web"))
	text, err := os.ReadFile(cert)
	must(t, err)
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}} // a part only
	good := a.list([]*big.Int{big.NewInt(5)})
	der, _ := pem.Decode([]byte(good))
	both := filepath.Join(a.dir, "both.pem")
	one, err := os.ReadFile(a.pem)
	must(t, err)
	two, err := os.ReadFile(b.pem)
	must(t, err)
	must(t, os.WriteFile(both, append(one, two...), 0o600))
	for name, c := range map[string]struct {
		lists  string
		mode   os.FileMode
		change func(s *Server)
		want   error
		text   string
	}{
		"good":                  {lists: good},
		"DER":                   {lists: string(der.Bytes)},
		"with text around":      {lists: "Certificate Revocation List (CRL):\n" + good + "\n"},
		"expired":               {lists: a.list(nil, listExpired), want: ErrFile, text: "has expired"},
		"of tomorrow":           {lists: a.list(nil, func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(30 * time.Minute) }), want: ErrFile, text: "of the future"},
		"a clock is a bit slow": {lists: a.list(nil, func(l *x509.RevocationList) { l.ThisUpdate = time.Now().Add(10 * time.Second) })},
		"a part only":           {lists: a.list(nil, func(l *x509.RevocationList) { l.ExtraExtensions = []pkix.Extension{critical} }), want: ErrFile, text: "critical extension 2.5.29.27"},
		"an entry of somebody": {lists: a.list([]*big.Int{big.NewInt(5)}, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{critical}
		}), want: ErrFile, text: "an entry with a critical"},
		"empty":                    {lists: " ", want: ErrFile},
		"cut off":                  {lists: good[:len(good)-20], want: ErrFile, text: "0 lists"},
		"a second one cut off":     {lists: good + good[:len(good)-20], want: ErrFile, text: "1 lists"},
		"a certificate":            {lists: string(text), want: ErrFile, text: "what is no list"},
		"noise":                    {lists: strings.Repeat("noise\n", 100), want: ErrFile},
		"changed":                  {lists: changed(good), want: ErrNoList, text: "of CN=authority"},
		"others write":             {lists: good, mode: 0o622, want: ErrFile, text: "can write"},
		"a missing file":           {lists: good, change: func(s *Server) { s.Revoked += ".none" }, want: ErrFile, text: "no such file"},
		"without an authority":     {lists: good, change: func(s *Server) { s.ClientCA, s.Names = "", []string{pinOf(t, cert)} }, text: "there is none"},
		"one authority has none":   {lists: good, change: func(s *Server) { s.ClientCA = both }, want: ErrNoList},
		"both authorities have":    {lists: good + b.list(nil), change: func(s *Server) { s.ClientCA = both }},
		"its authority may not":    {lists: weakList(), change: func(s *Server) { s.ClientCA = weak.pem }, want: ErrNoList, text: "keyUsage cRLSign"},
		"longer than certificates": {lists: a.list(many(40_000))},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "list")
			must(t, os.WriteFile(path, []byte(c.lists), 0o600))
			if c.mode != 0 {
				must(t, os.Chmod(path, c.mode))
			}
			s := Server{Cert: cert, Key: key, ClientCA: a.pem, Revoked: path}
			if c.change != nil {
				c.change(&s)
			}
			err := s.Check()
			if wrong := c.want != nil || c.text != ""; wrong != (err != nil) || c.want != nil && !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v; want %v %q", err, c.want, c.text)
			}
		})
	}
}

// changed is a list in which one bit of the signature is another one.
func changed(list string) string {
	block, _ := pem.Decode([]byte(list))
	block.Bytes[len(block.Bytes)-1] ^= 1
	return string(pem.EncodeToMemory(block))
}

func many(n int) (serials []*big.Int) {
	for i := range n {
		serials = append(serials, big.NewInt(int64(i)+1<<40))
	}
	return serials
}
