package kafka

import (
	"context"

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

// run puts the question and waits for the answer.
func (r *round) run(ctx context.Context, c *kafkaconn.Cluster) {
	asks := make([]kafkaconn.Ask, len(r.asks))
	for i, a := range r.asks {
		asks[i] = kafkaconn.Ask{Topic: a.topic, Number: a.number, Offset: a.offset}
	}
	memory := r.answer
	r.answer = nil // whoever has been given the memory may still write into it after an error
	if r.lookup {
		r.err = r.lookUp(ctx, c, asks)
	} else {
		r.answer, r.err = c.FetchRaw(ctx, r.broker, asks, r.isolation, r.maxBytes, memory)
	}
}
