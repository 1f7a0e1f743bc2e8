package outputs

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/internal/metric"
	"github.com/spillway/spillway/spool"
)

// Meter holds an output's counters for as long as its Run takes.
type Meter struct {
	set                    *metric.Set
	frames, records, bytes prometheus.Counter
	retries                prometheus.Counter
	errors                 *prometheus.CounterVec
}

// NewMeter registers the counters of an output.
func NewMeter(env Env) *Meter {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "spillway_output_" + name, Help: help}
	}
	m := &Meter{set: metric.NewSet(env.Metrics)}
	m.frames = Metric(m, prometheus.NewCounter(opts("sent_frames_total",
		"Frames delivered.")))
	m.records = Metric(m, prometheus.NewCounter(opts("sent_records_total",
		"Records of the frames delivered, those among them included that went to the dead letters.")))
	m.bytes = Metric(m, prometheus.NewCounter(opts("sent_bytes_total",
		"Bytes of the frames delivered, as they stand in the spool.")))
	m.retries = Metric(m, prometheus.NewCounter(opts("retries_total",
		"Waits after a failed attempt.")))
	m.errors = Metric(m, prometheus.NewCounterVec(opts("errors_total",
		"Failed attempts by reason: refused, no_space, permission, timeout, connection, other."), []string{"reason"}))
	return m
}

// Metric registers a metric that only this output has. One that cannot be registered
// is no reason not to deliver.
func Metric[C prometheus.Collector](m *Meter, c C) C { return metric.Add(m.set, c) }

// Sent counts a frame that was delivered. It is called before the Ack.
func (m *Meter) Sent(f *spool.Frame) {
	m.frames.Inc()
	m.records.Add(float64(f.Count))
	m.bytes.Add(float64(len(f.Data)))
}

// Close takes the counters out of the registry.
func (m *Meter) Close() { m.set.Close() }
