//go:build linux

package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/mtls"
)

// A pki is an authority and the certificates of a server and a caller.
type pki struct {
	t      *testing.T
	dir    string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	server mtls.Server
	caller transport.TLS
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	p := &pki{t: t, dir: t.TempDir()}
	p.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte("an authority"),
	}
	ca, _ := p.issue("authority", p.cert)
	p.server = mtls.Server{ClientCA: ca}
	p.server.Cert, p.server.Key = p.leaf("web1")
	p.caller = transport.TLS{CA: ca}
	p.caller.Cert, p.caller.Key = p.leaf("deployer")
	return p
}

// leaf issues a certificate.
func (p *pki) leaf(cn string, change ...func(c *x509.Certificate)) (cert, key string) {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: cn}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(c)
	}
	return p.issue(cn, c)
}

func (p *pki) issue(name string, c *x509.Certificate) (cert, key string) {
	p.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(p.t, err)
	if p.key == nil {
		p.key = k
	}
	der, err := x509.CreateCertificate(rand.Reader, c, p.cert, k.Public(), p.key)
	must(p.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	must(p.t, err)
	cert, key = filepath.Join(p.dir, name+".pem"), filepath.Join(p.dir, name+".key")
	must(p.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(p.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}

// serveTLS starts a server on a free port.
func serveTLS(t *testing.T, p *pki, s settings) *server {
	t.Helper()
	s.Options.Address = "127.0.0.1:0"
	if s.Guard == nil {
		s.Guard = &p.server
	}
	srv := launch(t, s)
	_, address, found := strings.Cut(srv.Wait(t, "msg=serving"), "socket=")
	if !found {
		t.Fatal("the log does not say where it listens")
	}
	srv.path, _, _ = strings.Cut(address, " ")
	srv.tls = p.caller
	return srv
}
