package kafka

import (
	"context"
	"time"

	"github.com/spillway/spillway/internal/kafkaconn"
)

// ask is what a round wants of one partition.
type ask struct {
	*partition       // of which a round reads the topic and the number only
	offset     int64 // from which to fetch
}

// round is one question to one broker, and its answer. It runs in a goroutine of
// its own, which touches nothing else.
type round struct {
	broker    int32
	lookup    bool // for offsets; else for records
	asks      []ask
	isolation int8
	maxBytes  int32

	answer []byte   // of a fetch; before it, memory for it
	limits []limits // of a look-up, in the order of asks
	err    error
}

// sender sends a request and fills in its answer.
type sender func(*exchange) error

// answerHead is what stands around the records in an answer, in bytes, of a usual
// number of partitions.
const answerHead = 64 << 10

// run puts the question and waits for the answer.
func (r *round) run(ctx context.Context, c *kafkaconn.Cluster, cfg *Config) {
	x := &exchange{client: cfg.ClientID, broker: r.broker, answer: r.answer, expect: int(r.maxBytes) + answerHead}
	r.answer = nil // whoever has been given the memory may still write into it after an error
	send := func(x *exchange) error {
		ctx, cancel := context.WithTimeout(ctx, cfg.RequestTimeout+maxWaitMillis*time.Millisecond)
		defer cancel()
		x.ctx = ctx
		_, err := c.Transport.RoundTrip(ctx, c.Addr, x)
		return err
	}
	if r.lookup {
		r.err = r.lookUp(x, send)
	} else {
		r.err = r.fetch(x, send)
	}
}
