// Package certificates makes throwaway certificates for the peers that tests start.
package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Certificates are an authority made for one test, and what it has signed, as PEM files
// that are deleted after the test.
type Certificates struct {
	CA        string // the authority's certificate
	Cert, Key string // a client's
	// ServerFile is the server's key and certificate in one.
	ServerFile string

	pool           *x509.CertPool
	server, client tls.Certificate
}

// Client is the TLS configuration of a client that trusts the authority and shows
// the client's certificate if it is asked for one.
func (c *Certificates) Client() *tls.Config {
	return &tls.Config{RootCAs: c.pool, Certificates: []tls.Certificate{c.client}, MinVersion: tls.VersionTLS12}
}

// Server is the TLS configuration of the server. It asks for no certificate.
func (c *Certificates) Server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.server}, MinVersion: tls.VersionTLS12}
}

// MutualServer is that of a server which wants a certificate of the authority's.
func (c *Certificates) MutualServer() *tls.Config {
	config := c.Server()
	config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, c.pool
	return config
}

// New makes certificates for t. The server's is for 127.0.0.1 and localhost; all are good
// for a day.
func New(t testing.TB) *Certificates {
	t.Helper()
	c, err := in(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func in(dir string) (*Certificates, error) {
	c := &Certificates{
		CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "client.pem"), Key: filepath.Join(dir, "client-key.pem"),
		ServerFile: filepath.Join(dir, "server.pem"), pool: x509.NewCertPool(),
	}
	ca, err := newSigner("authority", nil, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	if err != nil {
		return nil, err
	}
	server, err := newSigner("server", ca, &x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	})
	if err != nil {
		return nil, err
	}
	client, err := newSigner("client", ca, &x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{
		c.CA: ca.certPEM, c.Cert: client.certPEM, c.Key: client.keyPEM, c.ServerFile: append(slices.Clone(server.keyPEM), server.certPEM...),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return nil, err
		}
	}
	c.pool.AddCert(ca.cert)
	if c.server, err = tls.X509KeyPair(server.certPEM, server.keyPEM); err != nil {
		return nil, err
	}
	c.client, err = tls.X509KeyPair(client.certPEM, client.keyPEM)
	return c, err
}

// signer is a certificate and its key, as they are and as text.
type signer struct {
	cert            *x509.Certificate
	key             *ecdsa.PrivateKey
	certPEM, keyPEM []byte
}

// newSigner makes a key and a certificate after the template, signed by the
// parent; without one, by itself.
func newSigner(name string, parent *signer, template *x509.Certificate) (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.Subject = pkix.Name{CommonName: "Spillway test " + name}
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(24 * time.Hour)
	s := &signer{cert: template, key: key}
	if parent == nil {
		parent = s
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		return nil, err
	}
	if s.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	s.certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return s, nil
}
