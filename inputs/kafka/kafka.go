// Package kafka reads the topics of a Kafka cluster, by fixed partitions or as a
// member of a consumer group.
//
// One goroutine, the reader, owns everything that is known of the partitions
// (reader.go, partition.go). It asks each leader that is not being asked, in
// rounds: for offsets where one is missing (offsets.go), else for records. A round
// waits for its broker in a goroutine of its own (round.go), and so does a look at who
// leads what (look.go); one channel operation brings the whole answer back. The reader takes the records out of it (answer.go, skip.go,
// taker.go) and fills batches. While it waits in Emit no more is asked for, so
// what is held is bounded by the answers under way, which share fetch_max_bytes.
//
// The client library makes an object of each record that it fetches, and does not
// tell which transactions were aborted. So package kafkaconn writes and reads fetches
// itself, on the library's connections: the records stay in the record batches as
// the broker sent them, which the spool's own reader understands.
//
// Without a group, the position of a partition rides in the spool with its
// records. With one (group.go), offsets are committed when the spool has the
// records (ledger.go); a generation of the group is one life of a reader.
package kafka

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/record"
)

type input struct {
	cfg       *Config
	env       inputs.Env
	metrics   *metrics
	lookEvery time.Duration
}

// New returns an input that reads the topics cfg names.
func New(cfg *Config, env inputs.Env) (inputs.Input, error) {
	if env.Log == nil {
		env.Log = slog.New(slog.DiscardHandler)
	}
	return &input{cfg: cfg, env: env, lookEvery: lookEvery}, nil
}

// Run reads until ctx is done or, with Env.Once, until everything that was there
// has been emitted.
func (in *input) Run(ctx context.Context, out inputs.Emitter) error {
	var err error
	if in.metrics, err = newMetrics(in.env.Metrics); err != nil {
		return err
	}
	c, err := kafkaconn.New(&in.cfg.Config)
	if err != nil {
		return err
	}
	defer c.Close()
	defer in.metrics.partitions.Set(0)
	if in.cfg.Group != "" {
		return in.runGroup(ctx, c, out)
	}
	r := newReader(in, c, out)
	for _, p := range out.Resume() {
		r.resume(&p)
	}
	return r.run(ctx)
}

// Check reaches for the cluster and its topics.
func (in *input) Check(ctx context.Context) error {
	c, err := kafkaconn.New(&in.cfg.Config)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, topic := range in.cfg.Topics {
		found, _, err := c.Topic(ctx, topic)
		if err != nil {
			return err
		}
		if err := in.cfg.missing(topic, len(found)); err != nil {
			return err
		}
	}
	return nil
}

// resume goes on with a partition where the spool has it, if it is still one of
// those to read. It is known before the cluster is: the spool must not forget it
// while the cluster is away.
func (r *reader) resume(saved *record.Position) {
	name, number, ok := sourceOf(saved.Source)
	t := r.topics[name]
	if !ok || t == nil {
		return
	}
	t.known = true
	if r.cfg.reads(number) {
		p := newPartition(name, number)
		p.next, p.counts = saved.Offset, counts{saved.Records, saved.Bytes}
		r.add(p)
	}
}

// sourceOf takes a source's key apart.
func sourceOf(source string) (topic string, number int32, ok bool) {
	topic, text, ok := strings.Cut(source, "/")
	n, err := strconv.ParseInt(text, 10, 32)
	return topic, int32(n), ok && err == nil && n >= 0
}
