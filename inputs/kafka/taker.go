package kafka

import (
	"math"
	"slices"
	"time"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// maxNames bounds the headers of a record, and the names of a batch, that are
// looked up before they are added.
const maxNames = 256

// taker makes records of what was fetched: one copy into the arena, and a field
// for each thing that is wished for.
type taker struct {
	topic, partition, offset, key, header bool

	// The names in the batch that is being filled.
	message, topicName, numberName, offsetName, keyName record.Name
	headerNames                                         map[string]record.Name
	headers                                             []recordbatch.RecordHeader
}

func newTaker(fields []string) taker {
	has := func(name string) bool { return slices.Contains(fields, name) }
	return taker{
		topic: has("topic"), partition: has("partition"), offset: has("offset"), key: has("key"), header: has("headers"),
		headerNames: map[string]record.Name{},
	}
}

// begin puts the names into a new batch.
func (t *taker) begin(b *record.Batch) {
	t.message = b.Name(record.Message)
	for _, n := range []struct {
		wanted bool
		name   *record.Name
		text   string
	}{
		{t.topic, &t.topicName, "messaging.destination.name"},
		{t.partition, &t.numberName, "messaging.destination.partition.id"},
		{t.offset, &t.offsetName, "messaging.kafka.message.offset"},
		{t.key, &t.keyName, "messaging.kafka.message.key"},
	} {
		if n.wanted {
			*n.name = b.Name(n.text)
		}
	}
	clear(t.headerNames)
}

// name puts what is the same in all records of p into the batch.
func (t *taker) name(b *record.Batch, p *partition) {
	if t.topic {
		p.topicField = b.String(p.topic)
	}
	if t.partition {
		p.numberField = b.Int(int64(p.number))
	}
}

// add adds a record of p, which is noted in b. A record without a time is of now.
func (t *taker) add(b *record.Batch, p *partition, rec *recordbatch.Record, offset int64, now time.Time) {
	at := now.UnixNano()
	if ms := rec.Timestamp; ms >= 0 && ms < math.MaxInt64/int64(time.Millisecond) {
		at = ms * int64(time.Millisecond)
	}
	var r record.Record
	if rec.Value != nil {
		r = b.AddLine(b.Copy(rec.Value), p.index, offset, at)
	} else {
		r = b.AddRecord(p.index, offset, at)
		r.Append(t.message.Field(b.Value(record.Span{}, record.Null, record.Plain)))
	}
	if rec.Key != nil {
		key := b.Copy(rec.Key)
		r.SetKey(key)
		if t.key {
			r.Append(t.keyName.Field(b.Value(key, record.String, record.Plain)))
		}
	}
	if t.topic {
		r.Append(t.topicName.Field(p.topicField))
	}
	if t.partition {
		r.Append(t.numberName.Field(p.numberField))
	}
	if t.offset {
		r.Append(t.offsetName.Field(b.Int(offset)))
	}
	if t.header {
		t.addHeaders(b, r, rec)
	}
	p.counts.records++
	p.counts.bytes += int64(len(rec.Key) + len(rec.Value))
}

// addHeaders gives r a field for each header. Of several with the same name, the
// last one wins, as with Kafka's own lastHeader.
func (t *taker) addHeaders(b *record.Batch, r record.Record, rec *recordbatch.Record) {
	t.headers = rec.Headers(t.headers[:0])
	for i, h := range t.headers {
		value := b.Value(record.Span{}, record.Null, record.Plain)
		if h.Value != nil {
			value = b.Value(b.Copy(h.Value), record.String, record.Plain)
		}
		name, ok := t.headerNames[string(h.Key)]
		switch {
		case i >= maxNames || !ok && len(t.headerNames) >= maxNames:
			// Whoever sends so many can't make us search through them all.
			field := t.message.Field(value)
			field.Name, field.NameClean = b.Text("messaging.header."+string(h.Key)), false
			r.Append(field)
			continue
		case !ok:
			name = b.Name("messaging.header." + string(h.Key))
			t.headerNames[string(h.Key)] = name
		}
		r.Set(name, value)
	}
}
