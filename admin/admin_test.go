package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// fake is a process that can do its work as far as it says.
type fake struct {
	unready []string
	refuse  error
}

func (f *fake) Unready() []string                   { return f.unready }
func (f *fake) Metrics() prometheus.Gatherer        { return prometheus.NewRegistry() }
func (f *fake) Reload(context.Context) (any, error) { return map[string]int{"changed": 1}, f.refuse }

func serverOf(p Process) *Server { return &Server{process: p, log: slog.New(slog.DiscardHandler)} }

// answer is what h says to a request.
func answer(h http.Handler, method, host, path string) (code int, body string) {
	r := httptest.NewRequest(method, path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestOnlyRequestsToLoopbackAreAnswered(t *testing.T) {
	h := localOnly(serverOf(&fake{}).open())
	for host, want := range map[string]int{
		"127.0.0.1:9610": 200, "127.0.0.1": 200, "127.9.9.9:1": 200, "localhost:9610": 200, "LocalHost": 200,
		"[::1]:9610": 200, "[::1]": 200, "::1": 200,
		"example.com": 403, "example.com:9610": 403, "localhost.example.com": 403, "10.0.0.1:9610": 403, "0.0.0.0:9610": 403, "": 403,
	} {
		if code, _ := answer(h, "GET", host, "/healthz"); code != want {
			t.Errorf("host %q: got %d, want %d", host, code, want)
		}
	}
}

func TestReadyzGivesTheReasons(t *testing.T) {
	p := &fake{}
	h := serverOf(p).open()
	if code, body := answer(h, "GET", "localhost", "/readyz"); code != 200 || body != "ready\n" {
		t.Errorf("got %d %q, want 200 ready", code, body)
	}
	p.unready = []string{"pipeline a: starting", "pipeline b: spool: disk full"}
	if code, body := answer(h, "GET", "localhost", "/readyz"); code != 503 || body != "pipeline a: starting\npipeline b: spool: disk full\n" {
		t.Errorf("got %d %q, want 503 and both reasons", code, body)
	}
	if code, _ := answer(h, "GET", "localhost", "/healthz"); code != 200 {
		t.Errorf("not ready is not dead: /healthz says %d", code)
	}
}

func TestOnlyTheSocketReloads(t *testing.T) {
	p := &fake{}
	s := serverOf(p)
	if code, _ := answer(s.open(), "POST", "localhost", "/reload"); code != 404 {
		t.Errorf("the port answers %d, want 404", code)
	}
	if code, body := answer(s.private(), "POST", "spillway", "/reload"); code != 200 || body != "{\"changed\":1}\n" {
		t.Errorf("the socket answers %d %q", code, body)
	}
	p.refuse = errors.New("a.yaml:1:1: no")
	if code, body := answer(s.private(), "POST", "spillway", "/reload"); code != 409 || body != "a.yaml:1:1: no\n" {
		t.Errorf("a refused reload answers %d %q, want 409 and why", code, body)
	}
	if code, _ := answer(s.private(), "GET", "spillway", "/reload"); code != 405 {
		t.Errorf("GET answers %d, want 405", code)
	}
}

func TestAddressesAreChecked(t *testing.T) {
	for listen, want := range map[string]string{
		"": "", "127.0.0.1:9610": "", "[::1]:0": "", "localhost:9610": "",
		"9610": "write it like 127.0.0.1:9610", "0.0.0.0:9610": "not a loopback address", ":9610": "not a loopback address",
		"example.com:9610": "not a loopback address", "127.0.0.1:99999": `"99999" is no port`, "127.0.0.1:http": `"http" is no port`,
	} {
		err := CheckListen(listen)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", listen, err, want)
		}
	}
}

func TestTheSocketIsForItsOwnerAndReplacesADeadOne(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	if err := os.WriteFile(path, nil, 0o644); err != nil { // left by a process that was killed
		t.Fatal(err)
	}
	s, err := Start("127.0.0.1:0", dir, &fake{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("the socket is %v, %v; want 0600", info, err)
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	r, err := c.Get("http://spillway/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err := io.ReadAll(r.Body); err != nil || string(text) != "ok\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(l.Addr().String(), t.TempDir(), &fake{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("got %v, want what is wrong and what to do", err)
	}
}
