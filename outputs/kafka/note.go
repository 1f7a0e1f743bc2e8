package kafka

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"strconv"
)

// noteVersion is the first byte of a note.
const noteVersion = 1

// A note is what the cursor's journal keeps of a job that is about to be sent: from
// it the very same batches are made again. After the version, 8 bytes of binding
// and varints (zigzag); texts have their length before them:
//
//	number of rejected records, and each one's index
//	number of routes; of each: topic, partitions, sticky partition
//	number of pieces; of each
//	    route, partition, number of batches; of each
//	        first, end, state, producer, epoch, sequence, since
//	number of owed pieces; of each: route, partition
//
// A sticky partition is written as one more than it is: 0 is elsewhere.
//
// The binding is a hash of the cluster and of the settings that say where records go, and
// how: from a note of others the same batches can't be made.
func appendNote(dst []byte, binding uint64, j *job) []byte {
	dst = append(dst, noteVersion)
	dst = binary.BigEndian.AppendUint64(dst, binding)
	dst = appendVarints(dst, int64(len(j.rejected)))
	for _, index := range j.rejected {
		dst = appendVarints(dst, int64(index))
	}
	dst = appendVarints(dst, int64(len(j.routes)))
	for i := range j.routes {
		r := &j.routes[i]
		dst = append(appendVarints(dst, int64(len(r.topic))), r.topic...)
		dst = appendVarints(dst, int64(r.partitions), int64(r.sticky)+1)
	}
	dst = appendVarints(dst, int64(len(j.pieces)))
	for _, p := range j.pieces {
		dst = appendVarints(dst, int64(p.route), int64(p.partition), int64(len(p.batches)))
		for i := range p.batches {
			b := &p.batches[i]
			dst = appendVarints(dst, int64(b.first), int64(b.end), int64(b.state),
				b.id.producer, int64(b.id.epoch), int64(b.id.sequence), b.since)
		}
	}
	dst = appendVarints(dst, int64(len(j.owed)))
	for _, o := range j.owed {
		dst = appendVarints(dst, int64(o.route), int64(o.partition))
	}
	return dst
}

func appendVarints(dst []byte, ns ...int64) []byte {
	for _, n := range ns {
		dst = binary.AppendVarint(dst, n)
	}
	return dst
}

// bind is the binding to a cluster.
func (c *Config) bind(cluster string) uint64 {
	h := fnv.New64a()
	for _, s := range []string{cluster, c.Topic, strconv.FormatBool(c.byKey()), c.Acks, c.TransactionalID, c.CursorTopic} {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write([]byte(s))
	}
	return h.Sum64()
}

var errNote = errors.New("the note is of other settings, or of another version")

// readNote fills in what a note says of j. Its frame is set, unless the note is of one
// that was deferred.
func readNote(note []byte, binding uint64, j *job) error {
	if len(note) < 9 || note[0] != noteVersion || binary.BigEndian.Uint64(note[1:]) != binding {
		return errNote
	}
	r := noteReader{b: note[9:]}
	records := int32(0)
	if j.frame != nil {
		records = j.frame.Count
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		j.reject(r.index(records))
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		j.routes = append(j.routes, route{r.text(), r.index(math.MaxInt32), r.index(math.MaxInt32) - 1})
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		p := &piece{job: j, resumed: true, route: int(r.index(int32(len(j.routes)))), partition: r.index(math.MaxInt32)}
		for n := r.count(); n > 0 && !r.bad; n-- {
			p.batches = append(p.batches, r.batch(records))
		}
		j.pieces = append(j.pieces, p)
	}
	for n := r.count(); n > 0 && !r.bad; n-- {
		j.owed = append(j.owed, owed{int(r.index(int32(len(j.routes)))), r.index(math.MaxInt32)})
	}
	if r.bad || len(r.b) > 0 || len(j.pieces)+len(j.owed) == 0 {
		return errNote
	}
	return nil
}

// noteReader takes a note apart. After a failure it is bad and everything is 0.
type noteReader struct {
	b   []byte
	bad bool
}

func (r *noteReader) batch(records int32) batch {
	b := batch{first: r.index(records), end: r.index(records + 1), state: state(r.index(int32(done) + 1))}
	b.id = identity{r.varint(), int16(r.varint()), int32(r.varint())}
	b.since = r.varint()
	r.bad = r.bad || b.first >= b.end
	return b
}

func (r *noteReader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// index is a number from 0 up to below end.
func (r *noteReader) index(end int32) int32 {
	v := r.varint()
	if v < 0 || v >= int64(end) {
		r.bad = true
		return 0
	}
	return int32(v)
}

// count is a number of things of at least a byte each.
func (r *noteReader) count() int {
	v := r.varint()
	if v < 0 || v > int64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *noteReader) text() string {
	n := r.count()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
