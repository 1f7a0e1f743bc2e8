package kafka

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/spillway/spillway/record"
)

// unknown is an offset that must be looked up first.
const unknown = -1

// partition is what the reader knows of one partition. Its source is
// TOPIC/NUMBER; topics have no slashes in their names.
type partition struct {
	topic  string
	number int32
	source string

	leader  int32 // -1: none that is known
	busy    bool  // in a round
	next    int64 // the offset to read next
	atEnd   bool  // where to begin if next is unknown
	check   bool  // the broker says that next is out of range
	end     int64 // with Env.Once, where to stop
	wait    backoff
	failing bool

	counts counts

	// While in the batch that is being filled:
	batch       uint64 // its number
	index       int    // of the source in it
	topicField  record.Value
	numberField record.Value
}

// counts are kept for the life of a source.
type counts struct{ records, bytes int64 }

func newPartition(topic string, number int32) *partition {
	return &partition{
		topic: topic, number: number, source: topic + "/" + strconv.Itoa(int(number)),
		leader: -1, next: unknown, end: unknown,
	}
}

// finished says, with Env.Once, that everything that was there has been read.
func (p *partition) finished() bool { return p.end != unknown && p.next >= p.end }

// position is p's position once the batch that is being filled is in the spool.
func (p *partition) position(to *record.Position, now time.Time) {
	to.Offset, to.Records, to.Bytes, to.Seen = p.next, p.counts.records, p.counts.bytes, now
}

// backoff says when to try again after failures: with full jitter, after at most
// 100 ms at first, at most twice as long each time, up to 5 s.
type backoff struct {
	failures int
	until    time.Time
}

func (b *backoff) failed(now time.Time) {
	const first, most = 100 * time.Millisecond, 5 * time.Second
	limit := most
	if b.failures < 6 {
		limit = min(first<<b.failures, most)
	}
	b.failures++
	b.until = now.Add(rand.N(limit + 1))
}
