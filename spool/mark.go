package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// markType is the type of our control batches. Kafka uses 0 to 5.
const markType = 100

// markVersion is the version of a mark's content. What an older reader may pass
// over is a new tag, not a new version.
const markVersion = 1

// Kinds of marks.
const (
	markDelta   = 0
	markOpening = 1
)

// Tags of a mark's entries.
const (
	tagSource  = 1
	tagAccount = 2
	tagSynced  = 3
	tagLane    = 4
	tagOutput  = 5
	tagDead    = 6
	tagBoot    = 7
	tagUntil   = 8
)

// maxMarkRecord bounds the value of one control record.
const maxMarkRecord = 256 << 10

// state is what the marks say: the whole of it at an opening, what changed at the
// others.
type state struct {
	sources map[string]*record.Position
	account Account
	synced  int64
	lanes   []laneState
	outputs map[string]*outputState
	dead    map[deadID]struct{}
	boot    string
	// until is the offset that a segment must reach for its opening to count:
	// that of a segment which repeats groups already includes them.
	until int64
}

// laneState is one encoding and how many records of it were ever appended.
type laneState struct {
	fingerprint string
	records     int64
	// marked says that a mark has told of the lane.
	marked bool
}

// outputState is what marks know of an output.
type outputState struct {
	// acked is the cursor's frontier, and count what became of records, when the
	// mark was made: of those that the frontier had passed.
	acked int64
	count counts
	// spans tell which lane the output reads from which offset on.
	spans []laneSpan
}

// laneSpan says that from an offset on an output reads a lane, which had so many
// records then; before is what was routed to the output by earlier spans.
type laneSpan struct {
	from   int64
	lane   int16
	base   int64
	before int64
}

// forgetDead drops the ids of the dead letters of an output before an offset that it
// has passed for good.
func (st *state) forgetDead(output string, passed int64) {
	for d := range st.dead {
		if d.output == output && d.offset < passed {
			delete(st.dead, d)
		}
	}
}

// deadIn is how many of an output's records in [from, to) are with the dead letters.
func (st *state) deadIn(output string, from, to int64) (n int64) {
	if int64(len(st.dead)) < to-from {
		for d := range st.dead {
			if d.output == output && from <= d.offset && d.offset < to {
				n++
			}
		}
		return n
	}
	for at := from; at < to; at++ {
		if _, dead := st.dead[deadID{output, at}]; dead {
			n++
		}
	}
	return n
}

// deadID identifies a record that an output refused, so that it is not put with
// the dead letters twice.
type deadID struct {
	output string
	offset int64
}

func newState() *state {
	return &state{sources: map[string]*record.Position{}, outputs: map[string]*outputState{}, dead: map[deadID]struct{}{}}
}

// routed is how many records have ever been for an output.
func (st *state) routed(o *outputState) int64 {
	if len(o.spans) == 0 {
		return 0
	}
	s := o.spans[len(o.spans)-1]
	return s.before + st.lanes[s.lane].records - s.base
}

// laneAt is the lane that the output reads at an offset, or -1.
func (o *outputState) laneAt(offset int64) int16 {
	for i := len(o.spans) - 1; i >= 0; i-- {
		if o.spans[i].from <= offset {
			return o.spans[i].lane
		}
	}
	return -1
}

// markWriter builds the content of a mark.
type markWriter struct{ b []byte }

func (w *markWriter) begin(kind byte) { w.b = append(w.b[:0], markVersion, kind) }

func (w *markWriter) entry(tag uint64, body []byte) {
	w.b = binary.AppendUvarint(w.b, tag)
	w.b = binary.AppendUvarint(w.b, uint64(len(body)))
	w.b = append(w.b, body...)
}

func appendText[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendSource(b []byte, p *record.Position) []byte {
	b = appendText(b, p.Source)
	b = binary.AppendVarint(b, p.Offset)
	b = appendText(b, p.State)
	for _, n := range [...]int64{p.Records, p.Bytes, p.Cut, p.Lost, p.Seen.Unix()} {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendAccount(b []byte, a *Account) []byte {
	for _, n := range [...]int64{a.Read, a.Generated, a.Recovered, a.Appended, a.Merged, a.Filtered} {
		b = binary.AppendVarint(b, n)
	}
	for _, n := range a.Dropped {
		b = binary.AppendVarint(b, n)
	}
	return b
}

func appendLane(b []byte, number int, l laneState) []byte {
	b = binary.AppendUvarint(b, uint64(number))
	b = binary.AppendVarint(b, l.records)
	return appendText(b, l.fingerprint)
}

func appendOutput(b []byte, id string, o *outputState, passed counts) []byte {
	b = appendText(b, id)
	b = binary.AppendVarint(b, o.acked)
	b = binary.AppendUvarint(b, uint64(len(o.spans)))
	for _, s := range o.spans {
		for _, n := range [...]int64{s.from, int64(s.lane), s.base, s.before} {
			b = binary.AppendVarint(b, n)
		}
	}
	return appendVarints(b, passed.Acked, passed.DeadLettered, passed.Dropped)
}

func appendDead(b []byte, d deadID) []byte {
	b = appendText(b, d.output)
	return binary.AppendVarint(b, d.offset)
}

// appendWhole appends the control batch with the content in w to dst, in one record
// of whatever size, so that it takes one offset.
func (w *markWriter) appendWhole(dst []byte, now time.Time) []byte {
	return recordbatch.AppendControl(dst, markType, now.UnixMilli(), w.b)
}

// appendMark appends the control batch with the content in w to dst. It takes as
// many offsets as it has records: one, unless an opening is very large.
func (w *markWriter) appendMark(dst []byte, now time.Time) []byte {
	if len(w.b) <= maxMarkRecord {
		return w.appendWhole(dst, now)
	}
	var parts [][]byte
	for rest := w.b; len(rest) > 0; {
		n := min(len(rest), maxMarkRecord)
		parts = append(parts, rest[:n])
		rest = rest[n:]
	}
	return recordbatch.AppendControl(dst, markType, now.UnixMilli(), parts...)
}

// parseMark reads a control batch. ok is false for one that is not ours.
func parseMark(batch []byte, r *recordbatch.Reader) (content []byte, ok bool, err error) {
	if err := r.Reset(batch); err != nil {
		return nil, false, err
	}
	for r.Next() {
		rec := r.Record()
		if t, err := recordbatch.ControlType(rec.Key); err != nil || t != markType {
			return nil, false, err
		}
		if content == nil {
			content = rec.Value
		} else {
			content = append(content[:len(content):len(content)], rec.Value...)
		}
	}
	if err := r.Err(); err != nil {
		return nil, false, err
	}
	if len(content) < 2 {
		return nil, false, errors.New("spool: empty mark")
	}
	if content[0] > markVersion {
		return nil, false, fmt.Errorf("%w: mark of version %d, this one knows %d", ErrNewer, content[0], markVersion)
	}
	return content, true, nil
}

// apply changes st by a mark. An opening replaces everything.
func (st *state) apply(content []byte) error {
	if content[1] == markOpening {
		*st = *newState()
	}
	r := markReader{b: content[2:]}
	for len(r.b) > 0 && r.err == nil {
		tag := r.uvarint()
		body := markReader{b: r.bytes()}
		st.applyEntry(tag, &body)
		r.err = errors.Join(r.err, body.err)
	}
	return r.err
}

func (st *state) applyEntry(tag uint64, r *markReader) {
	switch tag {
	case tagSource:
		p := record.Position{Source: string(r.bytes()), Offset: r.varint(), State: append([]byte(nil), r.bytes()...)}
		p.Records, p.Bytes, p.Cut, p.Lost = r.varint(), r.varint(), r.varint(), r.varint()
		p.Seen = time.Unix(r.varint(), 0)
		st.sources[p.Source] = &p
	case tagAccount:
		a := &st.account
		for _, n := range [...]*int64{&a.Read, &a.Generated, &a.Recovered, &a.Appended, &a.Merged, &a.Filtered} {
			*n = r.varint()
		}
		for i := range a.Dropped {
			if len(r.b) > 0 {
				a.Dropped[i] = r.varint()
			}
		}
	case tagSynced:
		st.synced = r.varint()
	case tagLane:
		n := int(r.uvarint())
		l := laneState{records: r.varint(), fingerprint: string(r.bytes()), marked: true}
		if r.err != nil || n > len(st.lanes) {
			r.fail()
			return
		}
		if n == len(st.lanes) {
			st.lanes = append(st.lanes, l)
		}
		st.lanes[n] = l
	case tagOutput:
		id := string(r.bytes())
		o := &outputState{acked: r.varint()}
		for n := r.uvarint(); n > 0 && r.err == nil; n-- {
			o.spans = append(o.spans, laneSpan{r.varint(), int16(r.varint()), r.varint(), r.varint()})
		}
		if len(r.b) > 0 {
			o.count = counts{r.varint(), r.varint(), r.varint()}
		}
		st.outputs[id] = o
	case tagDead:
		st.dead[deadID{string(r.bytes()), r.varint()}] = struct{}{}
	case tagBoot:
		st.boot = string(r.b)
	case tagUntil:
		st.until = r.varint()
	}
}

// markReader takes a mark apart. After a failure everything is empty.
type markReader struct {
	b   []byte
	err error
}

func (r *markReader) fail() {
	r.b = nil
	if r.err == nil {
		r.err = errors.New("spool: damaged mark")
	}
}

func (r *markReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *markReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *markReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}
