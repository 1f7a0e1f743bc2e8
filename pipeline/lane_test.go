package pipeline

import (
	"fmt"
	"slices"
	"testing"

	"github.com/spillway/spillway/codec"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/record/expr"
	"github.com/spillway/spillway/spool/recordbatch"
)

func template(t *testing.T, text string) *expr.Template {
	t.Helper()
	tpl, err := expr.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// shaped encodes a batch of n records with the fields message, user (of every second
// one) and host, perhaps a key of their own, and times from 1 s on, and describes what
// comes out.
func shaped(t *testing.T, n int, own bool, shape outputs.Shape) []string {
	t.Helper()
	builder, err := recordbatch.NewBuilder(recordbatch.Snappy)
	if err != nil {
		t.Fatal(err)
	}
	c, err := codec.New(codec.Config{Codec: "raw"})
	if err != nil {
		t.Fatal(err)
	}
	l := newLane(framer{builder: builder}, c, shape)
	b := record.NewBatch()
	defer b.Release()
	for i := range n {
		r := b.AddLine(b.Text(fmt.Sprint("line ", i)), 0, int64(i), int64(i+1)*1e9)
		if i%2 == 0 {
			r.Set(b.Name("user"), b.String(fmt.Sprint("user-", i)))
		}
		r.Set(b.Name("host"), b.String("h"))
		if own {
			r.SetKey(b.Text("own"))
		}
	}
	var out encoded
	defer out.release()
	if err := l.encode(b, &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range out.frames {
		var records recordbatch.Reader
		if err := f.Records(&records); err != nil {
			t.Fatal(err)
		}
		for records.Next() {
			rec := records.Record()
			text := fmt.Sprintf("%s key=%s", rec.Value, rec.Key)
			if rec.Key == nil {
				text = fmt.Sprintf("%s no key", rec.Value)
			}
			for _, h := range rec.Headers(nil) {
				text += fmt.Sprintf(" %s=%s", h.Key, h.Value)
			}
			if shape.EventTime {
				text += fmt.Sprintf(" at=%d of %d", rec.Timestamp, records.Header().MaxTimestamp)
			}
			got = append(got, text)
		}
		if err := records.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestALaneHasWhatItsOutputsWantBesideTheValue(t *testing.T) {
	for _, c := range []struct {
		name  string
		own   bool // the records come with keys
		shape outputs.Shape
		want  []string
	}{
		{"nothing: the record's own key", true, outputs.Shape{}, []string{"line 0 key=own", "line 1 key=own"}},
		{"no key", false, outputs.Shape{}, []string{"line 0 no key", "line 1 no key"}},
		{"a key; one that lacks the field has none", true, outputs.Shape{Key: template(t, "{{user}}")}, []string{"line 0 key=user-0", "line 1 no key"}},
		{"headers; one that lacks the field is left out", true, outputs.Shape{Headers: []outputs.Header{
			{Name: "u", Value: template(t, "{{user}}")}, {Name: "h", Value: template(t, "on {{host}}")},
		}}, []string{"line 0 key=own u=user-0 h=on h", "line 1 key=own h=on h"}},
		{"all of it", true, outputs.Shape{
			Key: template(t, "{{host}}-{{user}}"), Headers: []outputs.Header{{Name: "h", Value: template(t, "{{host}}")}}, EventTime: true,
		}, []string{"line 0 key=h-user-0 h=h at=1000 of 2000", "line 1 no key h=h at=2000 of 2000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := shaped(t, 2, c.own, c.shape); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// TestShapesShareALaneIfTheyAreTheSame: the fingerprint tells.
func TestShapesShareALaneIfTheyAreTheSame(t *testing.T) {
	key := outputs.Shape{Key: template(t, "{{a}}")}
	seen := map[string]int{}
	for i, s := range []outputs.Shape{
		{}, key, {Key: template(t, "{{b}}")}, {EventTime: true}, {Headers: []outputs.Header{{Name: "a", Value: template(t, "x")}}},
		{Headers: []outputs.Header{{Name: "x", Value: template(t, "a")}}},
	} {
		if j, ok := seen[s.Fingerprint()]; ok {
			t.Errorf("shapes %d and %d have the same fingerprint", i, j)
		}
		seen[s.Fingerprint()] = i
	}
	again := outputs.Shape{Key: template(t, "{{a}}")}
	if key.Fingerprint() != again.Fingerprint() {
		t.Error("the same shape has two fingerprints")
	}
}

// A record may need a longer prefix than the one before it, whose prefix says how much
// room is left free.
func TestFramesKeepTheirBound(t *testing.T) {
	b, err := recordbatch.NewBuilder(recordbatch.None)
	if err != nil {
		t.Fatal(err)
	}
	for short := range 64 {
		w := &framer{builder: b}
		w.begin()
		var out encoded
		put := func(n int, timestamp int64) {
			open := b.Open()
			if err := w.close(open, append(open, make([]byte, n)...), &beside{timestamp: timestamp}, &out); err != nil {
				t.Fatal(err)
			}
		}
		put(10, w.now)
		put(MaxFrameBytes-b.Len()-short, 0)
		if err := w.flush(&out); err != nil {
			t.Fatal(err)
		}
		for _, f := range out.frames {
			if f.Count > 1 && len(f.Data) > MaxFrameBytes {
				t.Errorf("a frame of %d records has %d bytes", f.Count, len(f.Data))
			}
		}
		out.release()
	}
}
