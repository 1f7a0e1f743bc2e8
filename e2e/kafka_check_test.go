package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

const checkConfig = `data_dir: ./data
admin: {listen: ""}
pipelines:
  check:
    inputs: [{file: {paths: ["./logs/*.log"]}}]
    encode: {codec: raw}
    outputs:
      - kafka:
          brokers: ["%s"]
          topic: %s
          connect_timeout: 2s
          sasl: {mechanism: %s, username: %s, password: %s}
          tls: {enabled: %t%s}
`

// TestCheckSaysWhatIsWrongWithABroker asks a broker that wants a password and TLS, and
// ships to it.
func TestCheckSaysWhatIsWrongWithABroker(t *testing.T) {
	broker := brokers.Kafka(t, brokers.Kafka39, brokers.WithSASL("shipper", "secret-1"), brokers.WithMutualTLS())
	broker.CreateTopic("lines", 1, nil)
	files := broker.Certificates()
	trust := ", ca: " + files.CA
	ours := trust + ", cert: " + files.Cert + ", key: " + files.Key
	for _, c := range []struct {
		name, addr, topic, mechanism, user, password string
		tls                                          bool
		more, want                                   string
	}{
		{"scram 512", broker.Addr(), "lines", "scram-sha-512", "shipper", "secret-1", true, ours, ""},
		{"scram 256", broker.Addr(), "lines", "scram-sha-256", "shipper", "secret-1", true, ours, ""},
		{"plain", broker.Addr(), "lines", "plain", "shipper", "secret-1", true, ours, ""},
		{"address", "127.0.0.1:9", "lines", "plain", "shipper", "secret-1", true, ours, "brokers: nobody listens at 127.0.0.1:9"},
		{"host", "no-such-host.invalid:9092", "lines", "plain", "shipper", "secret-1", true, ours, `brokers: "no-such-host.invalid" is no host`},
		{"topic", broker.Addr(), "other", "plain", "shipper", "secret-1", true, ours, `topic "other" is not on the cluster`},
		{"password", broker.Addr(), "lines", "scram-sha-256", "shipper", "wrong", true, ours, "sasl.username, sasl.password: "},
		{"user", broker.Addr(), "lines", "plain", "nobody", "secret-1", true, ours, "sasl.username, sasl.password: "},
		{"authority", broker.Addr(), "lines", "plain", "shipper", "secret-1", true, "", "tls.ca, tls.server_name: "},
		{"no certificate of ours", broker.Addr(), "lines", "plain", "shipper", "secret-1", true, trust, "tls.cert"},
		{"no TLS", broker.Addr(), "lines", "plain", "shipper", "secret-1", false, "", "settings of tls or sasl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testkit.NewProgram(t)
			p.Write(t, configFile, fmt.Sprintf(checkConfig, c.addr, c.topic, c.mechanism, c.user, c.password, c.tls, c.more))
			r := p.Run(t, "check", "-c", configFile)
			if c.want == "" {
				if r.Code != 0 || !strings.Contains(r.Stdout, "check: output kafka: fine") {
					t.Fatalf("%d: %s%s", r.Code, r.Stdout, r.Stderr)
				}
				return
			}
			if r.Code != 1 || !strings.Contains(r.Stdout, c.want) {
				t.Errorf("%d: %s%s\nwant %q", r.Code, r.Stdout, r.Stderr, c.want)
			}
			if strings.Contains(r.Stdout+r.Stderr, c.password) {
				t.Errorf("the password is shown: %s%s", r.Stdout, r.Stderr)
			}
		})
	}
	p := testkit.NewProgram(t)
	p.Write(t, configFile, fmt.Sprintf(checkConfig, broker.Addr(), "lines", "scram-sha-512", "shipper", "secret-1", true, ours))
	p.Write(t, "logs/a.log", "")
	testkit.WriteLines(t, p.File("logs/a.log"), "a", 0, 500)
	if r := p.Run(t, "run", "--once", "-c", configFile); r.Code != 0 {
		t.Fatalf("%d: %s", r.Code, r.Stderr)
	}
	p.Conserved(t, configFile)
	held := testkit.NewChecker(map[string]int{"a": 500})
	for _, r := range brokers.KafkaRecords(t, broker.PlainAddr(), "lines")[0] {
		held.Line(string(r.Value))
	}
	if d := held.Delivery(); !d.Exact() {
		t.Error(d)
	}
}
