package main

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
	"testing"
	"time"
)

// certificates are files of an authority, a server and two callers, of whom one is revoked: NAME.pem and NAME.key.
type certificates struct {
	ca, revoked          string
	server, caller, lost string
}

func newCertificates(t *testing.T, dir string) (c certificates) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	begin, end := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: begin, NotAfter: end, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte("authority"),
	}
	var signer *ecdsa.PrivateKey
	put := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	issue := func(name string, template *x509.Certificate) string {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		if signer == nil {
			signer = key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), signer)
		must(err)
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		must(err)
		put(name+".key", "PRIVATE KEY", secret)
		put(name+".pem", "CERTIFICATE", der)
		return filepath.Join(dir, name)
	}
	leaf := func(name string, serial int64) string {
		return issue(name, &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: begin, NotAfter: end,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		})
	}
	c.ca = issue("ca", authority) + ".pem"
	c.server, c.caller, c.lost = leaf("web1", 2), leaf("deployer", 3), leaf("lost", 4)
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: begin, NextUpdate: end,
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(4), RevocationTime: begin}},
	}, authority, signer)
	must(err)
	c.revoked = put("crl.pem", "X509 CRL", list)
	return c
}
