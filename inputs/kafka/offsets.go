package kafka

import (
	"context"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/kafkaconn"
)

// limits are the offsets between which a partition can be read.
type limits struct {
	first int64
	last  int64 // one past the last record
	// stable is one past the last record that may be read: read_committed waits
	// for the end of transactions.
	stable int64
	err    kafka.Error
	told   int // how many of the three there are
}

// lookUp asks where the partitions begin and end.
func (r *round) lookUp(ctx context.Context, c *kafkaconn.Cluster, asks []kafkaconn.Ask) error {
	r.limits = make([]limits, len(r.asks))
	for _, l := range []struct {
		isolation int8
		timestamp int64
		set       func(*limits, int64)
	}{
		{0, kafka.FirstOffset, func(l *limits, o int64) { l.first = o }},
		{0, kafka.LastOffset, func(l *limits, o int64) { l.last = o }},
		{r.isolation, kafka.LastOffset, func(l *limits, o int64) { l.stable = o }},
	} {
		q := kafkaconn.Query{Timestamp: l.timestamp, Isolation: l.isolation}
		err := c.List(ctx, r.broker, asks, q, func(f *kafkaconn.Listed) {
			for i := range r.asks {
				if a := &r.asks[i]; a.number == f.Number && a.topic == string(f.Topic) {
					l.set(&r.limits[i], f.Offset)
					r.limits[i].told++
					if f.Err != 0 {
						r.limits[i].err = f.Err
					}
				}
			}
		})
		if err != nil {
			return err
		}
	}
	for i := range r.limits {
		if l := &r.limits[i]; l.told < 3 && l.err == 0 {
			l.err = kafka.UnknownTopicOrPartition
		}
	}
	return nil
}
