package pipeline

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool"
)

// Status is a look at a pipeline.
type Status struct {
	Phase Phase
	// Err is why a failed pipeline has failed.
	Err error
	// Status is zero while the spool is not open.
	spool.Status
}

// Name is the pipeline's name.
func (p *Pipeline) Name() string { return p.name }

// Status returns a look at the pipeline as it is now.
func (p *Pipeline) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Status{Phase: p.phase, Err: p.err, Status: p.last}
	if p.spool != nil {
		s.Status = p.spool.Status()
	}
	return s
}

// unready says why the pipeline cannot do its work; empty if it can.
func (s *Status) unready() string {
	switch {
	case s.Phase == Failed:
		return fmt.Sprintf("failed: %v", s.Err)
	case s.Phase == Starting:
		return "starting"
	case s.Trouble.Reason != "":
		return fmt.Sprintf("spool: %s (since %s)", s.Trouble.Reason, s.Trouble.Since.Format("15:04:05"))
	}
	return ""
}

// Unready lists the reasons why not every pipeline can do its work.
func (d *Daemon) Unready() []string {
	var reasons []string
	for _, p := range d.Pipelines() {
		s := p.Status()
		if why := s.unready(); why != "" {
			reasons = append(reasons, fmt.Sprintf("pipeline %s: %s", p.name, why))
		}
	}
	return reasons
}

// Metrics gathers the metrics of the process and of all pipelines.
func (d *Daemon) Metrics() prometheus.Gatherer {
	g := prometheus.Gatherers{prometheus.DefaultGatherer}
	for _, p := range d.Pipelines() {
		g = append(g, p.metrics)
	}
	return g
}

// collector exposes a pipeline's status. It costs the data path nothing: the
// figures are taken when somebody asks.
type collector struct{ *Pipeline }

var (
	perPipeline = []string{"pipeline"}
	perOutput   = []string{"pipeline", "output"}

	descUp          = prometheus.NewDesc("spillway_pipeline_up", "Whether the pipeline runs.", perPipeline, nil)
	descRead        = prometheus.NewDesc("spillway_read_records_total", "Records read by inputs.", perPipeline, nil)
	descGenerated   = prometheus.NewDesc("spillway_generated_records_total", "Records made by processors.", perPipeline, nil)
	descRecovered   = prometheus.NewDesc("spillway_recovered_records_total", "Records that came back into the spool as dead letters of outputs.", perPipeline, nil)
	descAppended    = prometheus.NewDesc("spillway_appended_records_total", "Records put into the spool.", perPipeline, nil)
	descMerged      = prometheus.NewDesc("spillway_merged_records_total", "Records that became part of another.", perPipeline, nil)
	descFiltered    = prometheus.NewDesc("spillway_filtered_records_total", "Records that processors were meant to drop.", perPipeline, nil)
	descDropped     = prometheus.NewDesc("spillway_dropped_records_total", "Records lost before the spool, by reason.", []string{"pipeline", "reason"}, nil)
	descBytes       = prometheus.NewDesc("spillway_spool_bytes", "Size of the spool.", perPipeline, nil)
	descMaxBytes    = prometheus.NewDesc("spillway_spool_max_bytes", "Size at which the spool is full.", perPipeline, nil)
	descSegments    = prometheus.NewDesc("spillway_spool_segments", "Segment files of the spool.", perPipeline, nil)
	descTrouble     = prometheus.NewDesc("spillway_spool_blocked", "Whether the spool cannot take records.", perPipeline, nil)
	descQuarantined = prometheus.NewDesc("spillway_spool_quarantined_bytes_total", "Unreadable bytes kept aside since the start.", perPipeline, nil)
	descRouted      = prometheus.NewDesc("spillway_output_routed_records_total", "Records that were for this output.", perOutput, nil)
	descAcked       = prometheus.NewDesc("spillway_output_acked_records_total", "Records that the output has acknowledged.", perOutput, nil)
	descDead        = prometheus.NewDesc("spillway_output_dead_lettered_records_total", "Records that the output refused for good.", perOutput, nil)
	descLost        = prometheus.NewDesc("spillway_output_dropped_records_total", "Records that the output lost to a full spool or to their age.", perOutput, nil)
	descPending     = prometheus.NewDesc("spillway_output_pending_records", "Records that wait for the output.", perOutput, nil)
	descAge         = prometheus.NewDesc("spillway_output_oldest_unsent_seconds", "Age of the oldest record that waits for the output.", perOutput, nil)
)

// Describe describes nothing: which series there are depends on the outputs.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.Status()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{c.name}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, append([]string{c.name}, labels...)...)
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	a := &s.Account
	gauge(descUp, truth(s.Phase == Running))
	counter(descRead, a.Read)
	counter(descGenerated, a.Generated)
	counter(descRecovered, a.Recovered)
	counter(descAppended, a.Appended)
	counter(descMerged, a.Merged)
	counter(descFiltered, a.Filtered)
	for why := record.Filtered + 1; why < record.Reasons; why++ {
		if why != record.Rejected {
			counter(descDropped, a.Dropped[why], why.String())
		}
	}
	gauge(descBytes, float64(s.Bytes))
	gauge(descMaxBytes, float64(s.MaxBytes))
	gauge(descSegments, float64(s.Segments))
	gauge(descTrouble, truth(s.Trouble.Reason != ""))
	counter(descQuarantined, s.QuarantinedBytes)
	for i := range s.Outputs {
		o := &s.Outputs[i]
		counter(descRouted, o.Routed, o.ID)
		counter(descAcked, o.Acked, o.ID)
		counter(descDead, o.DeadLettered, o.ID)
		counter(descLost, o.Dropped, o.ID)
		gauge(descPending, float64(o.PendingRecords), o.ID)
		gauge(descAge, o.OldestUnsent.Seconds(), o.ID)
	}
}
