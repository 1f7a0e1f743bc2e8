package e2e

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

// toolsConfig keeps a backlog in the spool, since one output has nobody to deliver
// to, and delivers it to Kafka.
const toolsConfig = `data_dir: ./data
admin: {listen: ""}
pipelines:
  tools:
    inputs:
      - file: {paths: ["./logs/*.log"]}
    encode: {codec: raw}
    spool: {compression: %s}
    drain_timeout: 1s
    outputs:
      - tcp: {address: "127.0.0.1:1"}
      - kafka: {brokers: [%s], topic: %s}
`

var dumped = regexp.MustCompile(`(?m)^(?:baseOffset:|\| offset:) .*$`)

// TestKafkasOwnToolsReadTheSpool dumps the segments of each compression with Kafka's
// own tool, and reads what arrives with two other consumers.
func TestKafkasOwnToolsReadTheSpool(t *testing.T) {
	broker := brokers.Kafka(t, brokers.Kafka39)
	kcat := testkit.RequireProgram(t, "kcat")
	for _, compression := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		t.Run(compression, func(t *testing.T) {
			broker.CreateTopic(compression, 1, nil)
			p := testkit.NewProgram(t)
			p.Write(t, configFile, fmt.Sprintf(toolsConfig, compression, broker.Addr(), compression))
			p.Write(t, "logs/a.log", "")
			testkit.WriteLines(t, p.File("logs/a.log"), "a", 0, 1000)
			run := p.Start(t, "run", "-c", configFile)
			testkit.WaitFor(t, "all lines", patient, func() bool {
				return len(brokers.KafkaRecords(t, broker.Addr(), compression)[0]) == 1000
			})
			run.Kill()
			run.Wait(t, patient)
			p.Conserved(t, configFile)
			dump(t, p, compression)

			out, err := exec.Command(kcat, "-C", "-q", "-e", "-b", broker.Addr(), "-t", compression).CombinedOutput()
			if err != nil {
				t.Fatalf("kcat: %v\n%s", err, out)
			}
			checkLines(t, "kcat", string(out))
			if compression == "zstd" { // the consumer takes seconds to start
				checkLines(t, "the console consumer", broker.Run("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", broker.Addr(),
					"--topic", compression, "--from-beginning", "--max-messages", "1000", "--timeout-ms", "20000"))
			}
		})
	}
}

// dump has Kafka's tool look at every record of the spool's segments.
func dump(t *testing.T, p *testkit.Program, compression string) {
	t.Helper()
	segments, err := filepath.Glob(p.File("data/tools/*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	text := brokers.Kafka39.DumpLog(t, segments...)
	batches, records := 0, 0
	for _, line := range dumped.FindAllString(text, -1) {
		switch {
		case strings.HasPrefix(line, "baseOffset"):
			batches++
			if !strings.Contains(line, "isvalid: true") {
				t.Errorf("not valid: %s", line)
			}
			if !strings.Contains(line, "isControl: true") && !strings.Contains(line, "compresscodec: "+compression) {
				t.Errorf("another compression: %s", line)
			}
		case strings.Contains(line, "keySize: -1"):
			records++
		case !strings.Contains(line, "UNKNOWN(100)"):
			t.Errorf("neither a mark nor a record without key: %s", line)
		}
	}
	if batches < 2 || records < 1000 {
		t.Errorf("%d batches and %d records in\n%.3000s", batches, records, text)
	}
}

// checkLines holds what a consumer has printed against what was written.
func checkLines(t *testing.T, who, text string) {
	t.Helper()
	c := testkit.NewChecker(map[string]int{"a": 1000})
	for line := range strings.Lines(text) {
		if _, _, ok := testkit.ParseLine(strings.TrimSuffix(line, "\n")); ok || who == "kcat" {
			c.Line(strings.TrimSuffix(line, "\n"))
		}
	}
	if d := c.Delivery(); !d.Exact() {
		t.Errorf("%s: %v", who, d)
	}
}
