package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// The bare loop to Kafka: two goroutines take turns as in bare.go. Each reads a block, splits and scans its lines, adds
// the field, builds and compresses a record batch, writes it to the spool file, and hands it to a partition that has
// nothing to do. A partition's goroutine patches the producer's identity in, sends the batch and waits for the answer:
// one request in flight per partition. There are no retries: an error ends the loop.
//
// This file and barebatch.go are the yardstick: they are left alone once measured.

// bareKafkaBlock is how much is read at once, in bytes. It makes batches that a topic takes whatever its codec is.
const bareKafkaBlock = 768 << 10

type bareKafkaOptions struct {
	input   string
	address string // of the broker
	topic   string
	spool   string // file
	follow  bool   // wait for more at the end instead of ending
}

func bareKafkaMain(ctx context.Context, args []string, stderr io.Writer) error {
	var o bareKafkaOptions
	var dir string
	fs := flag.NewFlagSet("bare-kafka", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.input, "input", "", "file to read")
	fs.StringVar(&o.address, "address", "", "host:port of the broker")
	fs.StringVar(&o.topic, "topic", "", "topic to send to")
	fs.StringVar(&dir, "dir", ".", "folder for the spool file")
	fs.BoolVar(&o.follow, "follow", false, "wait for more at the end of the file")
	if err := fs.Parse(args); err != nil {
		return usageError{err}
	}
	o.spool = filepath.Join(dir, "bare.spool")
	return runBareKafka(ctx, o)
}

// A bareKafka is what the goroutines of one loop share.
type bareKafka struct {
	client *kafka.Client
	topic  string
	src    *blockReader
	spool  *bareSpool
	// Batches go round: free, with a worker, ready, with a partition, free.
	free, ready chan *bareBatch
	failed      context.CancelCauseFunc
}

// runBareKafka ships the input and returns when the broker has all of it; with follow, when ctx ends.
func runBareKafka(ctx context.Context, o bareKafkaOptions) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	k := &bareKafka{client: &kafka.Client{Addr: kafka.TCP(o.address), Transport: transport, Timeout: time.Minute}, topic: o.topic}
	identity, partitions, err := k.meet(ctx)
	if err != nil {
		return err
	}
	if k.src, err = openBlocks(o.input, o.follow); err != nil {
		return err
	}
	defer k.src.close()
	if k.spool, err = createBareSpool(o.spool); err != nil {
		return err
	}
	defer k.spool.close()
	// A batch that cannot be sent ends the reading; a blocked read is ended by taking its descriptor away.
	sending, failed := context.WithCancelCause(context.WithoutCancel(ctx))
	k.failed = failed
	defer context.AfterFunc(ctx, k.src.close)()
	defer context.AfterFunc(sending, k.src.close)()

	k.ready, k.free = make(chan *bareBatch), make(chan *bareBatch, partitions+2)
	for range cap(k.free) {
		k.free <- new(bareBatch)
	}
	var senders sync.WaitGroup
	for p := range partitions {
		senders.Go(func() { k.send(sending, p, identity) })
	}
	err = k.work(sending)
	close(k.ready)
	senders.Wait()
	switch {
	case context.Cause(sending) != nil:
		return context.Cause(sending)
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// meet takes an identity and counts the topic's partitions.
func (k *bareKafka) meet(ctx context.Context) (identity kafka.ProducerSession, partitions int, err error) {
	id, err := k.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err == nil {
		err = id.Error
	}
	if err != nil {
		return identity, 0, fmt.Errorf("producer id: %w", err)
	}
	meta, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.topic}})
	if err != nil {
		return identity, 0, err
	}
	if len(meta.Topics) != 1 || meta.Topics[0].Error != nil {
		return identity, 0, fmt.Errorf("topic %q is not there", k.topic)
	}
	return *id.Producer, len(meta.Topics[0].Partitions), nil
}

// work lets two workers take turns until the input has ended. Each turn is a token in a channel of one; a worker hands
// it to the other one, and closes what it will not hand on.
func (k *bareKafka) work(ctx context.Context) error {
	var read, send [2]chan struct{}
	for i := range 2 {
		read[i], send[i] = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	read[0] <- struct{}{}
	send[0] <- struct{}{}
	var errs [2]error
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			errs[i] = k.worker(ctx, read[i], read[1-i], send[i], send[1-i])
			close(read[1-i])
			close(send[1-i])
		})
	}
	both.Wait()
	return errors.Join(errs[0], errs[1])
}

func (k *bareKafka) worker(ctx context.Context, mayRead <-chan struct{}, nextReads chan<- struct{}, maySend <-chan struct{}, nextSends chan<- struct{}) error {
	in := make([]byte, bareKafkaBlock)
	var lines scanner
	for {
		if _, ok := <-mayRead; !ok {
			return nil
		}
		block, err := k.src.next(in)
		if err != nil || len(block) == 0 {
			return err
		}
		nextReads <- struct{}{}

		var b *bareBatch
		select {
		case b = <-k.free:
		case <-ctx.Done():
			return nil
		}
		b.build(&lines, block)

		if _, ok := <-maySend; !ok {
			return nil
		}
		if err := k.spool.write(b.packed[batchSizeLen:]); err != nil {
			return err
		}
		select {
		case k.ready <- b:
		case <-ctx.Done():
			return nil
		}
		nextSends <- struct{}{}
	}
}

// send is a partition: it sends one batch after the other, and remembers the sequence.
func (k *bareKafka) send(ctx context.Context, partition int, identity kafka.ProducerSession) {
	sequence := int32(0)
	for b := range k.ready {
		b.patch(int64(identity.ProducerID), int16(identity.ProducerEpoch), sequence)
		answer, err := k.client.RawProduce(ctx, &kafka.RawProduceRequest{
			Topic: k.topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(b.packed)},
		})
		if err == nil {
			err = answer.Error
		}
		if err != nil {
			k.failed(fmt.Errorf("produce to partition %d: %w", partition, err))
			return
		}
		sequence += b.count
		k.free <- b
	}
}
