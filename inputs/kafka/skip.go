package kafka

import (
	"slices"

	"github.com/spillway/spillway/internal/kafkaconn"
	"github.com/spillway/spillway/spool/recordbatch"
)

// Kafka's types of control records.
const controlAbort = 0

// skipper tells which batches of a fetch are not for us: control batches, and what
// belongs to a transaction that was aborted. The broker names those of the fetch,
// by producer and first offset; each ends with the producer's abort marker.
type skipper struct {
	aborted []kafkaconn.Aborted // that begin behind what was read, by offset
	open    []int64             // producers in an aborted transaction
}

func newSkipper(of []kafkaconn.Aborted) *skipper {
	slices.SortFunc(of, func(a, b kafkaconn.Aborted) int {
		if a.First < b.First {
			return -1
		}
		return 1
	})
	return &skipper{aborted: of}
}

// skips says whether to leave out the batch that r is at. It reads the records of
// a control batch.
func (s *skipper) skips(r *recordbatch.Reader) bool {
	h := r.Header()
	for len(s.aborted) > 0 && s.aborted[0].First < h.NextOffset() {
		s.open = append(s.open, s.aborted[0].Producer)
		s.aborted = s.aborted[1:]
	}
	if !h.Control() {
		return h.Transactional() && slices.Contains(s.open, h.ProducerID)
	}
	for r.Next() {
		if typ, err := recordbatch.ControlType(r.Record().Key); err == nil && typ == controlAbort {
			s.open = slices.DeleteFunc(s.open, func(p int64) bool { return p == h.ProducerID })
		}
	}
	return true
}
