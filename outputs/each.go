package outputs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spillway/spillway/spool"
)

// maxAttempts is how often what is refused for good is sent.
const maxAttempts = 3

// Send delivers the records of one frame and returns once they are delivered.
// It iterates over r and needs to know nothing of frames, attempts and rejected
// records: r leaves out what is not to be sent.
//
// An error of its own kind is passing, and Send is called again with the same
// records, for ever. [Permanent] and [RecordError] say that something was
// refused; [RetryAfter], when the next attempt is welcome; [Records.Confirm],
// which records need not be sent again after an error. An error of ctx is
// returned as it is.
type Send func(ctx context.Context, r *Records) error

// Each is the output that delivers frames one by one with send, and owns what
// all such outputs have in common:
//
//   - A passing error is waited out with exponential backoff and full jitter, 100 ms to 5 s.
//   - A record that was refused maxAttempts times goes to the dead letters. The
//     others of its frame are sent again without it: a send that delivers them
//     before the error confirms them, or they arrive twice.
//   - What remains of a frame that was refused as a whole maxAttempts times goes
//     to the dead letters; so does a frame that can't be read, at once.
//   - Frames are acknowledged in order, after their last record.
//
// An output that is the last resort ([Env]) has nobody to reject to: what it
// refuses is tried for ever.
//
// Nothing is staged: the delivery is at least once.
func Each(env Env, send Send) Output { return &each{env, send} }

type each struct {
	env  Env
	send Send
}

func (e *each) Run(ctx context.Context, in Frames) error {
	meter := NewMeter(e.env)
	defer meter.Close()
	s := sending{each: e, in: in, retry: NewRetry(e.env, meter), refusals: map[int32]*Refusal{}}
	for {
		f, err := in.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.deliver(ctx, f); err != nil {
			return err
		}
		s.finish()
		meter.Sent(f)
		if err := in.Ack(f); err != nil {
			return err
		}
	}
}

// sending is the state of one Run.
type sending struct {
	*each
	in       Frames
	retry    *Retry
	records  Records
	whole    *Refusal           // of the frame as a whole
	refusals map[int32]*Refusal // of single records
	say      sayer
}

// deliver returns once each record of f is delivered or with the dead letters.
func (s *sending) deliver(ctx context.Context, f *spool.Frame) error {
	for s.records.Open(f); ; s.records.Rewind() {
		err := s.send(ctx, &s.records)
		if unreadable := s.records.Err(); unreadable != nil {
			s.env.Log.Error("frame can't be read, sent to the dead letters", "error", unreadable)
			return s.in.Reject(f, -1, unreadable)
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		wait, rejectErr := s.judge(f, err)
		switch {
		case rejectErr != nil:
			return rejectErr
		case s.records.pending() == 0:
			return nil
		case wait:
			if err := s.retry.Wait(ctx, err); err != nil {
				return err
			}
		}
	}
}

// finish forgets the failures of a frame that is done.
func (s *sending) finish() {
	s.retry.Succeeded()
	s.whole = nil
	clear(s.refusals)
}

// judge counts what was refused, and rejects what was refused often enough. It
// tells whether there is something to wait for before the next attempt.
func (s *sending) judge(f *spool.Frame, err error) (wait bool, rejectErr error) {
	refused, rest := recordErrors(err)
	for _, e := range refused {
		if !s.records.holds(e.Index) {
			// A send that blames records it did not get would be called for ever.
			return false, fmt.Errorf("the output blames record %d, which it was not given: %w", e.Index, err)
		}
		r := s.refusals[e.Index]
		if r == nil {
			r = new(Refusal)
			s.refusals[e.Index] = r
		}
		if !r.Again(e.Err) || s.env.LastResort {
			wait = true
			continue
		}
		if err := s.reject(f, e.Index, r); err != nil {
			return false, err
		}
	}
	var permanent *permanentError
	if !errors.As(rest, &permanent) {
		return wait || rest != nil, nil
	}
	if s.whole == nil {
		s.whole = new(Refusal)
	}
	if !s.whole.Again(permanent.error) || s.env.LastResort {
		return true, nil
	}
	if s.records.pending() == f.Count {
		// In one pass and one append: one by one, each record would cost a pass.
		s.env.Log.Warn("frame refused, its records are sent to the dead letters", "offset", f.Base,
			"records", f.Count, "attempts", s.whole.attempts, "error", s.whole.Err)
		s.records.Confirm(f.Count - 1)
		return false, s.in.Reject(f, -1, s.whole)
	}
	for s.records.Rewind(); s.records.Next(); {
		if err := s.reject(f, s.records.Index(), s.whole); err != nil {
			return false, err
		}
	}
	return false, nil
}

// Again counts one more refusal and tells whether it was the last one: what is
// refused maxAttempts times goes to the dead letters.
func (e *Refusal) Again(err error) (last bool) {
	if e.attempts == 0 {
		e.first = time.Now()
	}
	e.attempts++
	e.Err = err
	return e.attempts >= maxAttempts
}

func (s *sending) reject(f *spool.Frame, index int32, why *Refusal) error {
	if err := s.in.Reject(f, index, why); err != nil {
		return err
	}
	s.records.reject(index)
	if s.say.due(time.Now()) {
		s.env.Log.Warn("record refused, sent to the dead letters", "offset", f.Base+int64(index),
			"attempts", why.attempts, "error", why.Err)
	}
	return nil
}
