package kafka

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spillway/spillway/outputs"
)

// Why a delivery is uncertain.
const (
	// maybeDoubled: the broker may have taken the batch already, has forgotten what
	// it knew of it, and the partition does not tell.
	maybeDoubled = "maybe_doubled"
	// brokerLost: the cluster has lost what it had acknowledged.
	brokerLost = "broker_lost"
	// duplicateAnswer: the broker took a new batch for an old one.
	duplicateAnswer = "duplicate_answer"
)

// metrics are those that only this output has.
type metrics struct {
	uncertain *prometheus.CounterVec
	dropped   prometheus.Counter
}

func newMetrics(meter *outputs.Meter) *metrics {
	m := &metrics{
		uncertain: outputs.Metric(meter, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "spillway_delivery_uncertain_total",
			Help: "Batches for which exactly once could not be kept, by reason."}, []string{"reason"})),
		dropped: outputs.Metric(meter, prometheus.NewCounter(prometheus.CounterOpts{Name: "spillway_output_kafka_duplicates_dropped_total",
			Help: "Batches that were sent again and that the broker dropped, since it had them."})),
	}
	for _, why := range []string{maybeDoubled, brokerLost, duplicateAnswer} {
		m.uncertain.WithLabelValues(why)
	}
	return m
}
