package kafka

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/internal/metric"
)

type metrics struct {
	partitions           prometheus.Gauge
	records, bytes       prometheus.Counter
	errors, lost, commit prometheus.Counter
	rebalances           prometheus.Counter
}

// newMetrics registers the metrics, or finds those of an earlier run: they go on
// counting.
func newMetrics(to prometheus.Registerer) (*metrics, error) {
	set := metric.NewSet(to)
	counter := func(name, help string) prometheus.Counter {
		return metric.Add(set, prometheus.NewCounter(prometheus.CounterOpts{Name: "spillway_input_kafka_" + name, Help: help}))
	}
	m := &metrics{
		partitions: metric.Add(set, prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "spillway_input_kafka_partitions", Help: "Partitions that this input reads.",
		})),
		records:    counter("read_records_total", "Records read."),
		bytes:      counter("read_bytes_total", "Bytes of the keys and values of records read."),
		errors:     counter("errors_total", "Requests to brokers, and partitions in them, that failed and were tried again."),
		lost:       counter("lost_records_total", "Offsets that were deleted from a topic before they could be read, or were skipped by start_at."),
		commit:     counter("commit_errors_total", "Commits of a group's offsets that failed."),
		rebalances: counter("rebalances_total", "Times that the group has shared out its partitions."),
	}
	return m, set.Err()
}

// count counts what was read of p since it was at before.
func (m *metrics) count(p *partition, before counts) {
	m.records.Add(float64(p.counts.records - before.records))
	m.bytes.Add(float64(p.counts.bytes - before.bytes))
}
