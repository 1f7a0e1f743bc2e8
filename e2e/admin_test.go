package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/internal/testkit"
)

var client = &http.Client{Timeout: 5 * time.Second}

// freeAddress is a loopback address where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get asks the admin port; the code is 0 if there is no answer.
func get(address, path string) (code int, body string) {
	r, err := client.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(text)
}

func TestTheAdminPortTellsAndChangesNothing(t *testing.T) {
	p, admin := testkit.NewProgram(t), freeAddress(t)
	p.Write(t, configFile, strings.Replace(pipelineYAML(readLogs+rawToFile), `listen: ""`, "listen: "+admin, 1))
	writeLines(t, p, "logs/a.log", 0, 100)
	run := p.Start(t, "run", "-c", configFile)
	testkit.WaitFor(t, "readiness", patient, func() bool { code, _ := get(admin, "/readyz"); return code == 200 })
	testkit.WaitFor(t, "the lines' metric", patient, func() bool {
		code, body := get(admin, "/metrics")
		return code == 200 && strings.Contains(body, `spillway_output_acked_records_total{output="file",pipeline="p"} 100`)
	})
	if code, body := get(admin, "/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("/healthz says %d %q", code, body)
	}
	if r, err := client.Post("http://"+admin+"/reload", "", nil); err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("the port reloads: %v, %v", r, err)
	}
	stranger, err := http.NewRequest("GET", "http://"+admin+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger.Host = "example.com"
	if r, err := client.Do(stranger); err != nil || r.StatusCode != http.StatusForbidden {
		t.Errorf("a request for another host is answered: %v, %v", r, err)
	}
	reloadOverSocket(t, p, `"Unchanged":["p"]`)
	run.Kill()
	run.Wait(t, patient)
	runOnce(t, p, 100)
}

// reloadOverSocket asks for a reload where that is allowed, and for this in the
// answer.
func reloadOverSocket(t *testing.T, p *testkit.Program, want string) {
	t.Helper()
	overSocket := &http.Client{Timeout: patient, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", p.File("data/admin.sock"))
		},
	}}
	r, err := overSocket.Post("http://spillway/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 || !strings.Contains(string(text), want) {
		t.Errorf("%s, %v; want 200 and %s", fmt.Sprint(r.Status, " ", string(text)), err, want)
	}
}
