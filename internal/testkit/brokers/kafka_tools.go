package brokers

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// toolLimit is how long one of Kafka's tools may run.
const toolLimit = 2 * time.Minute

func (v KafkaVersion) classpath(t testing.TB) string {
	t.Helper()
	return classpath(t, "kafka-"+string(v))
}

// Run runs one of Kafka's own programs, such as
// org.apache.kafka.tools.consumer.ConsoleConsumer, and returns what it printed.
// The test fails if the program does, or takes longer than two minutes.
func (v KafkaVersion) Run(t testing.TB, class string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := java(v.classpath(t), "256m", dir, append([]string{"-Dorg.slf4j.simpleLogger.defaultLogLevel=error", class}, args...)...)
	cmd.Dir = dir
	return run(t, toolLimit, cmd)
}

// DumpLog is what Kafka says about segments, down to their records. They need
// not be a broker's own, but be named like one: an offset of 20 digits and .log.
func (v KafkaVersion) DumpLog(t testing.TB, segments ...string) string {
	t.Helper()
	class := "org.apache.kafka.tools.DumpLogSegments"
	if v == Kafka39 {
		class = "kafka.tools.DumpLogSegments"
	}
	return v.Run(t, class, "--deep-iteration", "--files", strings.Join(segments, ","))
}

// Run is [KafkaVersion.Run] for the broker's version.
func (k *KafkaBroker) Run(class string, args ...string) string {
	k.t.Helper()
	return k.version.Run(k.t, class, args...)
}

// DumpLog is [KafkaVersion.DumpLog] for the broker's version.
func (k *KafkaBroker) DumpLog(segments ...string) string {
	k.t.Helper()
	return k.version.DumpLog(k.t, segments...)
}

// Segments are the paths of a partition's segments, in the order of offsets.
func (k *KafkaBroker) Segments(topic string, partition int) []string {
	k.t.Helper()
	segments, err := filepath.Glob(filepath.Join(k.DataDir(), topic+"-"+strconv.Itoa(partition), "*.log"))
	if err != nil {
		k.t.Fatal(err)
	}
	return segments
}
