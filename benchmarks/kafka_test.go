package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy/xerial"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/spillway/spillway/internal/testkit"
)

// requireKafka skips a test where no broker is installed.
func requireKafka(t *testing.T) {
	t.Helper()
	_, err := findKafka()
	testkit.Require(t, "Kafka (make brokers)", err == nil)
}

func TestBareAndWriterDeliverToKafka(t *testing.T) {
	requireKafka(t)
	var stdout bytes.Buffer
	o := smallOptions(t, "--scenario", "s5", "--size", "4MiB")
	if err := bench(t.Context(), o, []tool{bareTool(), writerTool()}, &stdout, t.Output()); err != nil {
		t.Fatal(err)
	}
	var seen []string
	for line := range strings.Lines(stdout.String()) {
		r := checkedRow(t, line)
		seen = append(seen, r.Scenario+" "+r.Tool)
		if r.MiBPerS <= 0 || r.CPUSPerGiB <= 0 || r.RSSMiB <= 0 || r.P50Millis <= 0 || r.P99Millis < r.P50Millis || r.RoundsCount != 2 {
			t.Errorf("a figure is missing or impossible: %s", line)
		}
	}
	if got := strings.Join(seen, ", "); got != "s5 bare, s5 writer" {
		t.Errorf("rows for %s", got)
	}
}

// Each line is changed before it is sent, or not sent at all, or twice.
func TestWhatATopicLacksOrHasTwiceIsCounted(t *testing.T) {
	requireKafka(t)
	broker, err := startKafka(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer broker.kill()
	s, err := scenarioNamed("s5")
	if err != nil {
		t.Fatal(err)
	}
	for _, live := range []bool{false, true} {
		sink, err := startSink(t.Context(), sinkDuty{scenario: s, lines: 100, live: live, idle: 1e9, broker: broker.address})
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(sink.address), kgo.DefaultProduceTopic(sink.topic))
		if err != nil {
			t.Fatal(err)
		}
		for seq := range int64(100) {
			line := new(scanner).appendWithHost(nil, appendJSONLine(nil, seq, generatedMicros(seq)))
			switch seq {
			case 7:
				continue
			case 8:
				line = bytes.Replace(line, []byte(`"bench"`), []byte(`"bank"`), 1)
			}
			for range 1 + seq/97 {
				client.Produce(t.Context(), &kgo.Record{Value: line}, nil)
			}
		}
		if err := client.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		client.Close()
		for e := range sink.events {
			if e.Event == "complete" || e.Event == "idle" {
				break
			}
		}
		r, err := sink.finish()
		if err != nil {
			t.Fatal(err)
		}
		if r.Lines != 98 || r.Lost != 2 || r.Malformed != 1 || r.Doubled != 3 || r.FirstNanos == 0 || r.LastNanos < r.FirstNanos {
			t.Errorf("live %t: %+v", live, r)
		}
	}
}

func TestSpillwayOutlastsABrokerThatIsAway(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as an outage does")
	}
	requireKafka(t)
	o := smallOptions(t, "--scenario", "s6", "--outage", "2s", "--outage-rate", "500")
	spillway, err := spillwayTool(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	b := &bencher{options: o, log: t.Output(), around: 2e9}
	defer b.stopKafka()
	results, err := b.outages(t.Context(), []tool{bareTool(), spillway})
	if err != nil || len(b.faulted) > 0 {
		t.Fatal(err, b.faulted)
	}
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	r := results[0]
	if r.Tool != "spillway" || r.AwayS < 2 || r.BacklogKLines < 0.5 || r.DrainS <= 0 || r.BeforeMiB <= 0 || r.AwayMiB < r.BeforeMiB || r.RSSMiB < r.AwayMiB || r.Lost != 0 || r.Doubled != 0 {
		t.Errorf("%+v", r)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"scenario", "tool", "version", "away_s", "backlog_klines", "drain_s", "rss_before_mib", "rss_away_mib", "rss_mib", "lost", "doubled"} {
		if !bytes.Contains(text, []byte(`"`+key+`":`)) {
			t.Errorf("%s is missing in %s", key, text)
		}
	}
}

func TestScenariosWithoutABrokerAreLeftOutUnlessNamed(t *testing.T) {
	t.Setenv("SPILLWAY_BROKERS", t.TempDir())
	for _, c := range []struct {
		args []string
		left int
		says string
	}{
		{nil, 4, "*** NO BROKER: s5 IS LEFT OUT: there is no "},
		{[]string{"--assert"}, 4, "*** NO BROKER: s5 IS LEFT OUT: there is no "},
		{[]string{"--scenario", "s1"}, 1, ""},
	} {
		var said strings.Builder
		o := smallOptions(t, c.args...)
		if err := o.findKafka(&said); err != nil || len(o.scenarios) != c.left || !strings.HasPrefix(said.String(), c.says) || (c.says == "") != (said.Len() == 0) {
			t.Errorf("%q: %d scenarios, %v, said %q", c.args, len(o.scenarios), err, said.String())
		}
	}
	for _, name := range []string{"s5", "s6"} {
		o := smallOptions(t, "--scenario", name)
		if err := o.findKafka(t.Output()); err == nil {
			t.Errorf("%s is measured without a broker", name)
		}
	}
}

// The spool of the bare loop holds its batches as they are sent, but for the producer.
func TestBareBatchesAreWhatTheyShouldBe(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 200_000) + `"}`
	lines := []string{`{}`, `{"a":1}`, `not JSON`, ``, `{"host":"own"}`, strings.Repeat(" ", 8192) + `{"a":1}` + strings.Repeat(" ", 8192), long}
	for seq := range int64(300) {
		lines = append(lines, string(appendJSONLine(nil, seq, 0)))
	}
	var b bareBatch
	for range 2 { // the second time into what the first has left
		b.build(new(scanner), []byte(strings.Join(lines, "\n")))
		b.patch(7, 3, 5)
		if n := binary.BigEndian.Uint32(b.packed); int(n) != len(b.packed)-batchSizeLen {
			t.Fatalf("%d bytes are said to be %d", len(b.packed)-batchSizeLen, n)
		}
		if sum := crc32.Checksum(b.packed[atAttributes:], castagnoli); sum != binary.BigEndian.Uint32(b.packed[atChecksum:]) {
			t.Error("the checksum is wrong")
		}
		if n := int(binary.BigEndian.Uint32(b.packed[atCount:])); n != len(lines) {
			t.Errorf("%d records of %d lines", n, len(lines))
		}
		records, err := xerial.Decode(b.packed[atRecords:])
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range lines {
			want := new(scanner).appendWithHost(nil, []byte(line))
			n, used := binary.Varint(records)
			record := records[used : used+int(n)]
			records = records[used+int(n):]
			number, used := binary.Varint(record[2:])
			size, more := binary.Varint(record[2+used+1:])
			value := record[2+used+1+more:]
			if int(number) != i || record[2+used] != 1 || int(size) != len(want) || !bytes.Equal(value, append(want, 0)) {
				t.Fatalf("record %d is number %d, %d bytes: %.80q", i, number, size, value)
			}
		}
		if len(records) > 0 {
			t.Errorf("%d bytes more", len(records))
		}
	}
}

func TestABareLoopThatCannotSendSaysSo(t *testing.T) {
	requireKafka(t)
	broker, err := startKafka(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer broker.kill()
	input := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(input, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := bareKafkaOptions{input: input, address: broker.address, topic: "absent", spool: filepath.Join(t.TempDir(), "spool")}
	if err := runBareKafka(context.WithoutCancel(t.Context()), o); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("ended with %v", err)
	}
}
