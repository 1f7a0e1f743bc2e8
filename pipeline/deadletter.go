package pipeline

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool"
)

// deadLane is the encoding of dead letters: one JSON object each.
const deadLane = "dead_letters"

// deadLetter is what is kept of a record that could not be processed or that an
// output's peer refused.
type deadLetter struct {
	Timestamp time.Time `json:"timestamp"`
	Pipeline  string    `json:"pipeline"`
	// Origin is where the record came from: a source and the offset in it, or,
	// for a record that an output refused, the spool and the offset there.
	Origin origin `json:"origin"`
	// Target is the processor or output that refused the record.
	Target        string    `json:"target"`
	Cause         string    `json:"cause"`
	Attempts      int       `json:"attempts"`
	FirstFailedAt time.Time `json:"first_failed_at"`
	// Value is the record's line or encoded value; Bytes is the same where it
	// is not UTF-8.
	Value string `json:"value,omitempty"`
	Bytes []byte `json:"bytes,omitempty"`
}

type origin struct {
	Source string `json:"source"`
	Offset int64  `json:"offset"`
}

func (d *deadLetter) setValue(v []byte) {
	if utf8.Valid(v) {
		d.Value = string(v)
	} else {
		d.Bytes = v
	}
}

// deadLetterLane encodes the records that processors have rejected.
type deadLetterLane struct {
	framer
	pipeline string
}

func (l *deadLetterLane) encode(b *record.Batch, out *encoded) error {
	begun := false
	for i := range b.Len() {
		r := b.Record(i)
		if r.Fate() != record.Rejected {
			continue
		}
		if !begun {
			l.begin()
			begun = true
		}
		value, err := rejected(l.pipeline, r)
		if err != nil {
			return err
		}
		open := l.builder.Open()
		if err := l.close(open, append(open, value...), &beside{timestamp: l.now}, out); err != nil {
			return err
		}
	}
	if !begun {
		return nil
	}
	return l.flush(out)
}

// rejected encodes the dead letter of a record that a processor has rejected.
func rejected(pipeline string, r record.Record) ([]byte, error) {
	now := time.Now().UTC()
	d := deadLetter{
		Timestamp: now, Pipeline: pipeline, FirstFailedAt: now, Attempts: 1,
		Origin: origin{Source: r.Source().Source, Offset: r.Offset()},
		Target: "processors", Cause: string(r.Cause()),
	}
	d.setValue(r.Raw())
	return json.Marshal(d)
}

// refused encodes the dead letters of records that outputs could not deliver.
func refused(pipeline string) func(spool.Refused) ([]byte, error) {
	return func(r spool.Refused) ([]byte, error) {
		d := deadLetter{
			Timestamp: time.Now().UTC(), Pipeline: pipeline,
			Origin: origin{Source: "spool", Offset: r.Frame.Base + int64(r.Index)},
			Target: r.Output, Cause: r.Cause.Error(), Attempts: r.Attempts, FirstFailedAt: r.FirstFailedAt.UTC(),
		}
		switch {
		case !r.Unreadable:
			d.setValue(r.Value)
		case r.Index == 0:
			// What cannot be read is kept as it is, once.
			d.Bytes = r.Frame.Data
		}
		return json.Marshal(d)
	}
}
