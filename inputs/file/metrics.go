package file

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/internal/metric"
)

// The reasons that errors are counted by.
const (
	reasonOpen  = "open"
	reasonRead  = "read"
	reasonStat  = "stat"
	reasonList  = "list"
	reasonWatch = "watch"
	reasonState = "state"
)

var reasons = []string{reasonOpen, reasonRead, reasonStat, reasonList, reasonWatch, reasonState}

type metrics struct {
	files, open                   prometheus.Gauge
	bytes, lines, cut, lost, gens prometheus.Counter
	errors                        map[string]prometheus.Counter
}

// newMetrics registers the metrics, or finds those of an earlier run: they go
// on counting.
func newMetrics(to prometheus.Registerer) (metrics, error) {
	set := metric.NewSet(to)
	gauge := func(name, help string) prometheus.Gauge {
		return metric.Add(set, prometheus.NewGauge(prometheus.GaugeOpts{Name: "spillway_input_file_" + name, Help: help}))
	}
	counter := func(name, help string) prometheus.Counter {
		return metric.Add(set, prometheus.NewCounter(prometheus.CounterOpts{Name: "spillway_input_file_" + name, Help: help}))
	}
	errs := metric.Add(set, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "spillway_input_file_errors_total", Help: "System calls on files and folders that failed, by what was tried.",
	}, []string{"reason"}))
	m := metrics{
		files:  gauge("files", "Files that are followed."),
		open:   gauge("open_files", "Files that are open."),
		bytes:  counter("read_bytes_total", "Bytes read as lines, line ends included."),
		lines:  counter("read_lines_total", "Lines read."),
		cut:    counter("cut_lines_total", "Lines longer than max_line, cut to it."),
		lost:   counter("lost_bytes_total", "Bytes that were deleted or truncated before they could be read."),
		gens:   counter("truncations_total", "Times that a file was found truncated and was begun again."),
		errors: map[string]prometheus.Counter{},
	}
	for _, reason := range reasons {
		m.errors[reason] = errs.WithLabelValues(reason)
	}
	return m, set.Err()
}
