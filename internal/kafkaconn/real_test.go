package kafkaconn

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/testkit"
	"github.com/spillway/spillway/internal/testkit/brokers"
)

const group = "a group"

// TestOnlyAStableOffsetIsTold: while a transaction that commits an offset is open, the
// coordinator says so instead of telling the one before. It is asked with TLS and SASL,
// as all else is.
func TestOnlyAStableOffsetIsTold(t *testing.T) {
	for _, version := range []brokers.KafkaVersion{brokers.Kafka39, brokers.Kafka43} {
		t.Run(string(version), func(t *testing.T) {
			k := brokers.Kafka(t, version, brokers.WithSASL("shipper", "secret-1"), brokers.WithTLS())
			k.CreateTopic("lines", 2, nil)
			cfg := Default()
			cfg.Brokers = []string{k.Addr()}
			cfg.SASL = SASL{Mechanism: "scram-sha-256", Username: "shipper", Password: "secret-1"}
			cfg.TLS.Enabled, cfg.TLS.CA = true, config.Path(k.Certificates().CA)
			c, err := New(&cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			told := func() (offset int64, mark string) {
				t.Helper()
				testkit.WaitFor(t, "an answer", 20*time.Second, func() bool {
					offset, mark, err = c.Committed(t.Context(), group, "lines", 1)
					return err == nil || errors.Is(err, kafka.GroupIdNotFound)
				})
				return offset, mark
			}
			for round, commit := range []bool{true, false, true} {
				p := openOffset(t, c, int64(100+round), "mark")
				if offset, mark, err := c.Committed(t.Context(), group, "lines", 1); !errors.Is(err, kafka.UnstableOffsetCommit) {
					t.Errorf("round %d: %d %q, %v: want an error", round, offset, mark, err)
				}
				ask(t, func(ctx context.Context) error {
					res, err := c.EndTxn(ctx, &kafka.EndTxnRequest{TransactionalID: group, ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, Committed: commit})
					if err != nil {
						return err
					}
					return res.Error
				})
				want := int64(100 + round)
				if !commit {
					want--
				}
				if offset, mark := told(); offset != want || mark != "mark" {
					t.Errorf("round %d: %d %q, want %d", round, offset, mark, want)
				}
			}
			if offset, mark, err := c.Committed(t.Context(), group, "lines", 0); err != nil || offset != -1 || mark != "" {
				t.Errorf("where nothing was committed: %d %q, %v", offset, mark, err)
			}
		})
	}
}

// ask tries until a new cluster has its coordinators.
func ask(t *testing.T, f func(context.Context) error) {
	t.Helper()
	var err error
	for range 100 {
		if err = f(t.Context()); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal(err)
}

// openOffset begins a transaction and commits an offset in it.
func openOffset(t *testing.T, c *Cluster, offset int64, mark string) *kafka.ProducerSession {
	t.Helper()
	var p *kafka.ProducerSession
	ask(t, func(ctx context.Context) error {
		res, err := c.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: group, TransactionTimeoutMs: 60000, ProducerID: -1, ProducerEpoch: -1})
		if err != nil {
			return err
		}
		p = res.Producer
		return res.Error
	})
	ask(t, func(ctx context.Context) error {
		res, err := c.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{TransactionalID: group, ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, GroupID: group})
		if err != nil {
			return err
		}
		return res.Error
	})
	ask(t, func(ctx context.Context) error {
		res, err := c.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{
			TransactionalID: group, ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, GroupID: group, GenerationID: -1,
			Topics: map[string][]kafka.TxnOffsetCommit{"lines": {{Partition: 1, Offset: offset, Metadata: mark}}},
		})
		if err != nil {
			return err
		}
		return res.Topics["lines"][0].Error
	})
	return p
}
