package tcp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/testkit/certificates"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

func TestContract(t *testing.T) {
	for _, framing := range []string{"newline", "length"} {
		for _, encrypted := range []string{"plain", "tls"} {
			t.Run(framing+"/"+encrypted, func(t *testing.T) {
				outputstest.Contract(t, func(t *testing.T) outputstest.Target {
					return target(t, framing, encrypted)
				})
			})
		}
	}
}

func target(t *testing.T, framing, encrypted string) outputstest.Target {
	cfg := Default()
	cfg.Framing = framing
	var server *tls.Config
	if encrypted == "tls" {
		files := certificates.New(t)
		server = files.Server()
		cfg.TLS.Enabled, cfg.TLS.CA = true, config.Path(files.CA)
	}
	p := newPeer(t, framing, server)
	cfg.Address = p.address
	return outputstest.Target{
		Output: func() outputs.Output { return build(t, cfg) },
		Values: p.values,
		Fail: func() func() {
			p.close()
			return func() { p.listen(t) }
		},
		Hang:       p.hang,
		BestEffort: true,
		Text:       framing == "newline",
	}
}

func build(t testing.TB, cfg *Config) *Output {
	t.Helper()
	out, err := New(cfg, outputstest.Env(t))
	if err != nil {
		t.Fatal(err)
	}
	return out.(*Output)
}

// running starts an output on an empty log and stops it at the end of the test.
func running(t *testing.T, cfg *Config) *outputstest.Log {
	t.Helper()
	log := outputstest.NewLog(t, recordbatch.None)
	ctx, cancel := context.WithCancel(context.Background())
	out, ended := build(t, cfg), make(chan struct{})
	in := log.Open()
	go func() { defer close(ended); out.Run(ctx, in) }()
	t.Cleanup(func() { cancel(); <-ended })
	return log
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestClosedConnectionIsNoticedBeforeTheNextFrame(t *testing.T) {
	p := newPeer(t, "newline", nil)
	cfg := Default()
	cfg.Address = p.address
	log := running(t, cfg)
	for i := range 20 {
		log.Append(fmt.Sprint("value ", i))
		until(t, "it arrives", func() bool { return len(p.values()) == i+1 })
		p.mu.Lock()
		p.conn.Close()
		p.mu.Unlock()
		time.Sleep(5 * time.Millisecond) // the FIN is on its way
	}
	if n := p.connections(); n != 20 {
		t.Errorf("%d connections, wanted 20", n)
	}
}

func TestFrameIsSentAgainWholeOnTheNextConnection(t *testing.T) {
	p := newPeer(t, "newline", nil)
	cfg := Default()
	cfg.Address = p.address
	heal := p.hang()
	log := running(t, cfg)
	values := make([]string, 64)
	for i := range values {
		values[i] = fmt.Sprint(i, strings.Repeat("x", 1<<20))
	}
	log.Append(values...) // more than the sockets hold
	until(t, "it is connected", func() bool { return p.connections() == 1 })
	time.Sleep(50 * time.Millisecond)
	p.mu.Lock()
	p.conn.Close()
	p.hung = nil
	p.mu.Unlock()
	heal()
	until(t, "the frame is acknowledged", func() bool { return log.Frontier() == 64 })
	until(t, "all arrived", func() bool { return len(p.values()) >= 64 })
	got := p.values()
	for i, v := range got[len(got)-64:] {
		if v != values[i] {
			t.Fatalf("value %d of the frame is %.20q", i, v)
		}
	}
}

func TestPeerThatTakesNothingIsGivenUpAfterTheWriteTimeout(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg := Default()
	cfg.Address, cfg.WriteTimeout = silent.Addr().String(), 50*time.Millisecond
	log := running(t, cfg)
	log.Append(strings.Repeat("x", 32<<20))
	for range 2 {
		c, err := silent.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
}

func TestMTLSShowsOurCertificate(t *testing.T) {
	files := certificates.New(t)
	p := newPeer(t, "newline", files.MutualServer())
	cfg := Default()
	cfg.Address = p.address
	cfg.TLS.Enabled, cfg.TLS.CA, cfg.TLS.Cert, cfg.TLS.Key = true, config.Path(files.CA), config.Path(files.Cert), config.Path(files.Key)
	log := running(t, cfg)
	log.Append("secret")
	until(t, "it arrives", func() bool { return len(p.values()) == 1 })
}

// TestPeerThatRefusesOurCertificateGetsNothing is about TLS 1.3, in which the
// client is done before the server has looked at its certificate.
func TestPeerThatRefusesOurCertificateGetsNothing(t *testing.T) {
	files := certificates.New(t)
	p := newPeer(t, "newline", files.MutualServer())
	cfg := Default()
	cfg.Address = p.address
	cfg.TLS.Enabled, cfg.TLS.CA = true, config.Path(files.CA)
	if err := build(t, cfg).Check(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Check: %v, wanted the peer's refusal", err)
	}
	log := running(t, cfg)
	for i := range 3 {
		log.Append(fmt.Sprint("value ", i))
	}
	until(t, "it has tried again", func() bool { return p.connections() > 3 })
	if n := log.Frontier(); n != 0 {
		t.Errorf("%d records are acknowledged that nobody has taken", n)
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	files := certificates.New(t)
	plain, encrypted := newPeer(t, "newline", nil), newPeer(t, "newline", files.Server())
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	notPEM := config.Path(filepath.Join(t.TempDir(), "ca.pem"))
	if err := os.WriteFile(string(notPEM), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  func(*Config)
		want string
	}{
		{"fine", func(c *Config) { c.Address = plain.address }, ""},
		{"nobody listens", func(c *Config) { c.Address = gone.Addr().String() }, "connection refused"},
		{"unknown authority", func(c *Config) { c.Address, c.TLS.Enabled = encrypted.address, true }, "certificate"},
		{"known authority", func(c *Config) { c.Address, c.TLS.Enabled, c.TLS.CA = encrypted.address, true, config.Path(files.CA) }, ""},
		{"wrong name", func(c *Config) {
			c.Address, c.TLS.Enabled, c.TLS.CA, c.TLS.ServerName = encrypted.address, true, config.Path(files.CA), "other.example"
		}, "other.example"},
		{"any certificate", func(c *Config) { c.Address, c.TLS.Enabled, c.TLS.InsecureSkipVerify = encrypted.address, true, true }, ""},
		{"not PEM", func(c *Config) { c.Address, c.TLS.Enabled, c.TLS.CA = encrypted.address, true, notPEM }, "no certificate in PEM form"},
		{"no file", func(c *Config) { c.Address, c.TLS.Enabled, c.TLS.CA = encrypted.address, true, "/nowhere/ca.pem" }, "/nowhere/ca.pem"},
		{"no TLS there", func(c *Config) {
			c.Address, c.TLS.Enabled, c.ConnectTimeout = plain.address, true, 100*time.Millisecond
		}, "connect to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Default()
			c.set(cfg)
			err := build(t, cfg).Check(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("Check: %v, wanted %q", err, c.want)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"address: example.com:514":                               "",
		"address: '[::1]:514'":                                   "",
		"address: example.com":                                   "missing port",
		"address: ':514'":                                        "needs a host",
		"address: a:1\nframing: lines":                           "framing",
		"address: a:1\ntls: {ca: /x}":                            "enabled: true",
		"address: a:1\ntls: {enabled: true, cert: /x}":           "belong together",
		"address: a:1\ntls: {enabled: true, min_version: '1.1'}": "1.2",
	} {
		n, err := config.Parse("test", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		err = config.Decode(n, Default())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, wanted %q", text, err, want)
		}
	}
}
