// Package tlsconf is the tls block of every component that speaks TLS to a
// peer.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spillway/spillway/internal/config"
)

// Config says how a connection is encrypted, whom it trusts, and who we are.
type Config struct {
	Enabled            bool        `yaml:"enabled" doc:"Whether to use TLS."`
	CA                 config.Path `yaml:"ca" doc:"PEM file of the authorities that may vouch for the peer; empty are those of the system." example:"/etc/spillway/ca.pem"`
	Cert               config.Path `yaml:"cert" doc:"PEM file of our certificate and its chain, for peers that want one (mTLS)." example:"/etc/spillway/cert.pem"`
	Key                config.Path `yaml:"key" doc:"PEM file of the private key of cert." example:"/etc/spillway/key.pem"`
	ServerName         string      `yaml:"server_name" doc:"Name that the peer's certificate must hold; empty is the host of its address." example:"logs.example.com"`
	InsecureSkipVerify bool        `yaml:"insecure_skip_verify" doc:"Takes any certificate: anyone in between can read and change everything."`
	MinVersion         string      `yaml:"min_version" doc:"Oldest version of TLS that is spoken." oneof:"1.2,1.3"`
}

// Default is no TLS, and 1.3 once it is enabled.
func Default() Config { return Config{MinVersion: "1.3"} }

// Check tells whether the keys make sense together.
func (c *Config) Check() error {
	switch {
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("cert and key belong together: set both or none")
	case c.Enabled:
		return nil
	case c.CA != "" || c.Cert != "" || c.ServerName != "" || c.InsecureSkipVerify:
		return errors.New("enabled is false, but other keys are set: add enabled: true")
	}
	return nil
}

// Client reads the files and returns the configuration for connections to a
// host, or nil if TLS is not enabled. It is called for each connection, so that
// renewed certificates are taken up.
func (c *Config) Client(host string) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	t := &tls.Config{ServerName: host, InsecureSkipVerify: c.InsecureSkipVerify, MinVersion: tls.VersionTLS13}
	if c.ServerName != "" {
		t.ServerName = c.ServerName
	}
	if c.MinVersion == "1.2" {
		t.MinVersion = tls.VersionTLS12
	}
	if c.CA != "" {
		pem, err := os.ReadFile(string(c.CA))
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM form", c.CA)
		}
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(string(c.Cert), string(c.Key))
		if err != nil {
			return nil, fmt.Errorf("tls.cert %s, tls.key %s: %w", c.Cert, c.Key, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
