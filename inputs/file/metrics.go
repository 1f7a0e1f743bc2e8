package file

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
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
	var r registrar
	if to != nil {
		r.to = to
	}
	errs := register(&r, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "spillway_input_file_errors_total", Help: "System calls on files and folders that failed, by what was tried.",
	}, []string{"reason"}))
	m := metrics{
		files:  r.gauge("files", "Files that are followed."),
		open:   r.gauge("open_files", "Files that are open."),
		bytes:  r.counter("read_bytes_total", "Bytes read as lines, line ends included."),
		lines:  r.counter("read_lines_total", "Lines read."),
		cut:    r.counter("cut_lines_total", "Lines longer than max_line, cut to it."),
		lost:   r.counter("lost_bytes_total", "Bytes that were deleted or truncated before they could be read."),
		gens:   r.counter("truncations_total", "Times that a file was found truncated and was begun again."),
		errors: map[string]prometheus.Counter{},
	}
	for _, reason := range reasons {
		m.errors[reason] = errs.WithLabelValues(reason)
	}
	return m, r.err
}

// registrar registers metrics and keeps the first error.
type registrar struct {
	to  prometheus.Registerer
	err error
}

func register[C prometheus.Collector](r *registrar, c C) C {
	if r.to == nil || r.err != nil {
		return c
	}
	var taken prometheus.AlreadyRegisteredError
	switch err := r.to.Register(c); {
	case errors.As(err, &taken):
		if earlier, ok := taken.ExistingCollector.(C); ok {
			return earlier
		}
		r.err = err
	default:
		r.err = err
	}
	return c
}

func (r *registrar) gauge(name, help string) prometheus.Gauge {
	return register(r, prometheus.NewGauge(prometheus.GaugeOpts{Name: "spillway_input_file_" + name, Help: help}))
}

func (r *registrar) counter(name, help string) prometheus.Counter {
	return register(r, prometheus.NewCounter(prometheus.CounterOpts{Name: "spillway_input_file_" + name, Help: help}))
}
