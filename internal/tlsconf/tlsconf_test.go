package tlsconf

import (
	"crypto/tls"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/config"
)

func TestConfigKeepsTheRules(t *testing.T) {
	c := Default()
	if err := config.Lint(&c); err != nil {
		t.Error(err)
	}
}

func TestVersionAndNameFollowTheConfiguration(t *testing.T) {
	for _, c := range []struct {
		set     func(*Config)
		version uint16
		name    string
	}{
		{func(*Config) {}, tls.VersionTLS13, "host"},
		{func(c *Config) { c.MinVersion = "1.2" }, tls.VersionTLS12, "host"},
		{func(c *Config) { c.ServerName = "other" }, tls.VersionTLS13, "other"},
	} {
		cfg := Default()
		cfg.Enabled = true
		c.set(&cfg)
		got, err := cfg.Client("host")
		if err != nil {
			t.Fatal(err)
		}
		if got.MinVersion != c.version || got.ServerName != c.name || got.InsecureSkipVerify {
			t.Errorf("%+v: version %x, name %q, skip verify %t", cfg, got.MinVersion, got.ServerName, got.InsecureSkipVerify)
		}
	}
	off := Default()
	if got, err := off.Client("host"); got != nil || err != nil {
		t.Errorf("not enabled: %v, %v; wanted nothing", got, err)
	}
}

func TestErrorsNameKeyAndFile(t *testing.T) {
	for _, c := range []struct {
		set  func(*Config)
		want string
	}{
		{func(c *Config) { c.CA = "/nowhere/ca" }, "tls.ca: open /nowhere/ca"},
		{func(c *Config) { c.Cert, c.Key = "/nowhere/cert", "/nowhere/key" }, "tls.cert /nowhere/cert, tls.key /nowhere/key"},
	} {
		cfg := Default()
		cfg.Enabled = true
		c.set(&cfg)
		if _, err := cfg.Client("host"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, wanted %q", err, c.want)
		}
	}
}
