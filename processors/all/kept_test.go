package all

import (
	"testing"

	"github.com/spillway/spillway/processors/processorstest"
	"github.com/spillway/spillway/record"
)

// TestDroppedRecordsArePassedOver runs every processor over a record that is
// dropped already and that each of them would change, drop or reject.
func TestDroppedRecordsArePassedOver(t *testing.T) {
	for _, config := range []string{
		`json: {on_error: dead_letter}`, `regex: {pattern: '(?P<a>x)', on_error: dead_letter}`, `combined: {on_error: dead_letter}`,
		`timestamp: {field: message, layout: unix, on_error: dead_letter}`, `set: {fields: {a: '{{missing}}'}}`,
		`rename: {fields: {message: m}}`, `remove: {fields: [message]}`, `keep: {fields: [m]}`, `drop: {when: 'true'}`,
	} {
		p := processorstest.Build(t, config)
		for _, before := range []record.Reason{record.Kept, record.ParseFailed} {
			b := record.NewBatch()
			processorstest.Lines(b, []byte("line\n"))
			r := b.Record(0)
			r.Drop(before)
			if err := p.Process(b); err != nil {
				t.Fatal(err)
			}
			message, _ := r.Get(record.Message)
			untouched := r.Fate() == before && len(r.Fields()) == 1 && message.Kind() == record.String
			if untouched != (before != record.Kept) {
				t.Errorf("%s: a %v record became %v with %q", config, before, r.Fate(), processorstest.Show(t, b))
			}
			b.Release()
		}
	}
}
