package kafka

import (
	"context"
	"slices"

	"github.com/spillway/spillway/spool"
)

// resume makes the job of a frame that an earlier life has staged. It is nil where there
// is none, where other bytes stand at the offset, and where the frame was sent in another
// way: then it can't be sent as the same batches.
func (s *sender) resume(f *spool.Frame) *job {
	st, ok := s.stagedOf(f)
	same := st.Offset == f.Base && st.End == f.End() && st.Checksum == f.Checksum()
	if !ok || st.Checksum != 0 && !same {
		return nil
	}
	j := &job{frame: f, base: f.Base}
	if err := readNote(st.Note, s.binding, j); err != nil {
		s.metrics.uncertain.WithLabelValues(maybeDoubled).Inc()
		s.env.Log.Warn("a frame was sent with other settings, and nobody knows whether it arrived; it is sent again rather than lost",
			"reason", maybeDoubled, "records", f.Count, "error", err)
		return nil
	}
	if len(j.pieces) > 0 && !same {
		return nil
	}
	j.left = len(j.pieces)
	j.collect(func(owed) bool { return true })
	return j
}

// stagedOf is what an earlier life has staged of a frame. Frames come in offset order,
// so what lies before is settled.
func (s *sender) stagedOf(f *spool.Frame) (st spool.Staged, ok bool) {
	for len(s.doubt) > 0 && s.doubt[0].End <= f.Base {
		s.doubt = s.doubt[1:]
	}
	if len(s.doubt) == 0 || s.doubt[0].Offset > f.Base || s.doubt[0].End < f.End() {
		return st, false
	}
	return s.doubt[0], true
}

// adopt finds the topics of a job that an earlier life has staged. What was for one
// that is gone goes to the dead letters.
func (s *sender) adopt(ctx context.Context, j *job) error {
	for i := range j.routes {
		if s.topics.byName[j.routes[i].topic] != nil {
			continue
		}
		_, err := s.newTopic(ctx, j.routes[i].topic)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			continue
		}
		if err := s.strand(j, i, err); err != nil {
			return err
		}
	}
	return nil
}

// strand takes the pieces of a route out of a job, and puts those of their records with the
// dead letters that the topic has not had.
func (s *sender) strand(j *job, route int, why error) error {
	gone := func(p *piece) bool { return p.route == route }
	records := &s.splitter.records
	if err := j.frame.Records(records); err != nil {
		return err
	}
	for records.Next() {
		rec := records.Record()
		if !slices.ContainsFunc(j.pieces, func(p *piece) bool { return gone(p) && s.splitter.takes(p, &rec) && p.waits(rec.OffsetDelta) }) {
			continue
		}
		if err := s.rejectOnce(j, rec.OffsetDelta, why); err != nil {
			return err
		}
	}
	for _, p := range j.pieces {
		if gone(p) && slices.ContainsFunc(p.batches, func(b batch) bool { return b.state == sent }) {
			s.metrics.uncertain.WithLabelValues(maybeDoubled).Inc()
			s.env.Log.Warn("a topic may have had what now goes to the dead letters", "reason", maybeDoubled, "topic", j.routes[route].topic)
		}
	}
	j.pieces = slices.DeleteFunc(j.pieces, gone)
	j.left = len(j.pieces)
	return records.Err()
}
