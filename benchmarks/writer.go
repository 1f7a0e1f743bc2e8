package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// The shipper that one writes in an afternoon: the bare loop's reading, splitting, scanning and adding, and kafka-go's
// Writer for the rest. It has no spool and no identity. It is the yardstick for Spillway's processor time per record, so
// it is given what is best for it: batches of the size at which the Writer costs least, each filled by one call.

// writerBatch is how many records a batch of the Writer has. 500, 1,000, 2,000 and 4,000 were tried, too, and cost more or the same.
const writerBatch = 8000

// writerCalls is how many goroutines call the Writer, each with a batch: one for each partition and one that makes the next.
const writerCalls = topicPartitions + 1

func writerMain(ctx context.Context, args []string, stderr io.Writer) error {
	var input, address, topic string
	var follow bool
	fs := flag.NewFlagSet("writer", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&input, "input", "", "file to read")
	fs.StringVar(&address, "address", "", "host:port of the broker")
	fs.StringVar(&topic, "topic", "", "topic to send to")
	fs.BoolVar(&follow, "follow", false, "wait for more at the end of the file")
	batch := fs.Int("batch", writerBatch, "records in a batch")
	if err := fs.Parse(args); err != nil {
		return usageError{err}
	}
	src, err := openBlocks(input, follow)
	if err != nil {
		return err
	}
	defer src.close()
	defer context.AfterFunc(ctx, src.close)()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(address), Topic: topic, Transport: transport, RequiredAcks: kafka.RequireAll, Compression: kafka.Snappy,
		// A call fills one batch of one partition.
		BatchSize: *batch, Balancer: &kafka.RoundRobin{ChunkSize: *batch}, BatchBytes: 16 << 20, BatchTimeout: 5 * time.Millisecond,
	}
	lines := &lineSource{src: src, buf: make([]byte, bareBlock)}
	errs := make([]error, writerCalls)
	var callers sync.WaitGroup
	for i := range writerCalls {
		callers.Go(func() { errs[i] = callWriter(w, lines, *batch) })
	}
	callers.Wait()
	errs = append(errs, w.Close())
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(errs...)
}

// callWriter gives batches to the Writer until there are no more lines.
func callWriter(w *kafka.Writer, lines *lineSource, batch int) error {
	var s scanner
	var in, out []byte
	messages := make([]kafka.Message, 0, batch)
	ends := make([]int, 0, batch)
	for {
		var err error
		if in, err = lines.next(in[:0], batch); err != nil || len(in) == 0 {
			return err
		}
		out, messages, ends = out[:0], messages[:0], ends[:0]
		for rest := in; len(rest) > 0; {
			end := bytes.IndexByte(rest, '\n')
			out = s.appendWithHost(out, rest[:end])
			ends = append(ends, len(out))
			rest = rest[end+1:]
		}
		start := 0
		for _, end := range ends {
			messages = append(messages, kafka.Message{Value: out[start:end:end]})
			start = end
		}
		// It returns when the broker has the messages, so their bytes may be used again.
		if err := w.WriteMessages(context.Background(), messages...); err != nil {
			return err
		}
	}
}

// A lineSource gives lines out by number.
type lineSource struct {
	mu   sync.Mutex
	src  *blockReader
	buf  []byte
	rest []byte // of buf, or of what it was grown to
	tail bool   // the latest block reached the end of the file
}

// next appends up to n lines to dst, each ended by a newline: fewer at the end of the file, so that the lines of a growing
// one do not wait for others.
func (l *lineSource) next(dst []byte, n int) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; n > 0; n-- {
		if len(l.rest) == 0 {
			if l.tail && len(dst) > 0 {
				return dst, nil
			}
			block, err := l.src.next(l.buf)
			if err != nil || len(block) == 0 {
				return dst, err
			}
			l.rest, l.tail = block, len(block) < len(l.buf)/2
		}
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		dst = append(append(dst, line...), '\n')
		if l.rest = rest; !ok {
			l.tail = true
		}
	}
	return dst, nil
}
