// Package kafka is the output that ships the spool's frames to Kafka topics.
//
// A frame is a record batch already. What is sent is the stored one under a header
// of our own: who sends it, in which life, and with which sequence. A broker that is
// sent the same batch twice under the same identity takes it once. So exactly once
// is this:
//
//   - Before a batch is sent, its identity is staged in the cursor's journal.
//   - Until the broker has answered, the batch is sent again and again under that identity, also by the next process.
//   - If that took so long that brokers may have forgotten the producer, the batch is looked for in the partition first.
//   - New bytes never go out under an identity that was read from disk: each start takes a new producer id. A copied data_dir can thus never make a broker drop other data as a duplicate.
//
// One batch is in flight per partition, since a connection of the client carries
// one request at a time, and since brokers remember only the last five.
//
// # By key, or to topics that fields name
//
// Then the records of a frame go to several partitions. The frame is taken apart
// once, in pieces that are staged together: which topics there were, with how many
// partitions, and what has become of each piece. From that the very same pieces are
// made again, also when the topic has more partitions by then.
//
// A partition that does not get on is left behind once the window is full: its pieces
// are noted as owed, and frames of which nothing else is left go back to the spool. They
// are recalled, oldest first, when the partition gets on.
//
// # In transactions
//
// Then frames are gathered for a while, sent as part of a transaction, and the offset
// behind the last of them is committed with it, as that of a consumer group. After a
// crash this cursor tells which of the frames in doubt the cluster has.
//
// # Who owns what
//
// Run's goroutine takes frames from the cursor and gives each to a partition that
// has nothing to do, or its pieces to theirs. A partition has a goroutine, which owns
// its sequence and sends what it is given until the broker has it. The last one to
// finish a frame's pieces acknowledges the frame. One more goroutine looks after the
// topics: new partitions, other leaders.
package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/record/expr"
	"github.com/spillway/spillway/spool"
)

// Output ships frames to Kafka.
type Output struct {
	cfg *Config
	env outputs.Env
	// topic is the one there is; empty if fields name it.
	topic string
	shape outputs.Shape
}

// New builds the output. It connects when it runs.
func New(cfg *Config, env outputs.Env) (outputs.Output, error) {
	topic, err := expr.ParseTemplate(cfg.Topic)
	if err != nil {
		return nil, err
	}
	o := &Output{cfg: cfg, env: env}
	if o.shape, err = cfg.shape(); err != nil {
		return nil, err
	}
	o.topic, _ = topic.Constant()
	if o.topic == "" {
		o.shape.Headers = append(o.shape.Headers, outputs.Header{Name: topicHeader, Value: topic})
	}
	if env.LastResort && o.shape.Fingerprint() != "" {
		return nil, errors.New("dead letters have no fields: topic, key and headers cannot be filled from them, nor do they have a timestamp: event")
	}
	return o, nil
}

// Shape implements [outputs.Shaper].
func (o *Output) Shape() outputs.Shape { return o.shape }

// Run implements [outputs.Output].
func (o *Output) Run(ctx context.Context, in outputs.Frames) error {
	cluster, err := kafkaconn.New(&o.cfg.Config)
	if err != nil {
		return err
	}
	defer cluster.Close()
	meter := outputs.NewMeter(o.env)
	defer meter.Close()
	ctx, stop := context.WithCancelCause(ctx)
	s := newSender(o, in, cluster, meter, stop)
	err = s.run(ctx)
	if !errors.Is(err, spool.ErrClosed) {
		stop(err)
	}
	s.topics.wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	stop(err)
	s.watching.Wait()
	return err
}

// Check tells whether the topic can be reached, in the words of the configuration.
func (o *Output) Check(ctx context.Context) error {
	cluster, err := kafkaconn.New(&o.cfg.Config)
	if err != nil {
		return err
	}
	defer cluster.Close()
	if o.topic == "" {
		_, err := cluster.ID(ctx)
		return err
	}
	partitions, _, err := cluster.Topic(ctx, o.topic)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if p.Leader.Host == "" {
			return fmt.Errorf("topic %q: partition %d has no leader", o.topic, p.ID)
		}
	}
	return nil
}
