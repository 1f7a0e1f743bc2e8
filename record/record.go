package record

import (
	"slices"

	"github.com/spillway/spillway/record/field"
)

// Record is a handle on one record of a batch: two words, not allocated, dead
// with its batch.
type Record struct {
	b *Batch
	i int
}

// spare is how many fields a record can gain after a parser has filled it
// before its fields must move to the end of the table.
const spare = 4

func (r Record) row() *row { return &r.b.rows[r.i] }

// Batch is the batch that r belongs to.
func (r Record) Batch() *Batch { return r.b }

// Time is the record's timestamp in Unix nanoseconds: the event's own time where
// a processor has set it, else when the line was read.
func (r Record) Time() int64 { return r.row().time }

// SetTime sets the record's timestamp, in Unix nanoseconds.
func (r Record) SetTime(ns int64) { r.row().time = ns }

// Source is the position entry of the source that r came from.
func (r Record) Source() *Position { return &r.b.sources[r.row().source] }

// Offset is where r began in its source.
func (r Record) Offset() int64 { return r.row().offset }

// Raw is the line as it was read, whatever became of its fields; nil for a
// record that did not come from a line.
func (r Record) Raw() []byte {
	raw := r.row().raw
	if raw.Off == 0 { // where the name of the message field lies
		return nil
	}
	return r.b.Bytes(raw)
}

// Key is the record's key, and whether it has one.
func (r Record) Key() ([]byte, bool) {
	w := r.row()
	if !w.hasKey {
		return nil, false
	}
	return r.b.Bytes(w.key), true
}

// SetKey sets the record's key.
func (r Record) SetKey(s Span) {
	w := r.row()
	w.key, w.hasKey = s, true
}

// Fields are the record's fields in order. The slice is valid until a field is
// added to any record of the batch. Entries for which [Field.Removed] holds are
// to be skipped.
func (r Record) Fields() []Field {
	w := r.row()
	return r.b.fields[w.first : w.first+w.n]
}

// FieldName is the name of f.
func (r Record) FieldName(f *Field) []byte { return r.b.Bytes(f.Name) }

// FieldValue is the value of f.
func (r Record) FieldValue(f *Field) Value { return Value{r.b, f.Value, f.Kind, f.Form} }

// find is the index in the field table of the last live field called name
// before end, which counts from the record's first field.
func (r Record) find(name string, end int) int {
	w := r.row()
	fields, arena := r.b.fields[w.first:int(w.first)+end], r.b.arena
	for i := len(fields) - 1; i >= 0; i-- {
		f := &fields[i]
		if int(f.Name.Len) == len(name) && !f.Removed() && string(arena[f.Name.Off:][:len(name)]) == name {
			return int(w.first) + i
		}
	}
	return -1
}

// last is find over all fields.
func (r Record) last(name string) int { return r.find(name, int(r.row().n)) }

// Has says whether r has a flat field called name.
func (r Record) Has(name string) bool { return r.last(name) >= 0 }

// Get returns the value of a flat field or, if there is none of that name, of
// the path into a JSON field that the name spells ("a.b.c", array elements by
// number).
func (r Record) Get(name string) (Value, bool) {
	if i := r.last(name); i >= 0 {
		return r.FieldValue(&r.b.fields[i]), true
	}
	return r.lookup(name)
}

// Set gives the field called name this value, which must live in the same
// batch: a field that exists keeps its place.
func (r Record) Set(name Name, v Value) {
	if i := r.last(name.text); i >= 0 {
		r.touch(i)
		f := &r.b.fields[i]
		f.Value, f.Kind, f.Form = v.span, v.kind, v.form
		r.removeBefore(name.text, i-int(r.row().first))
		return
	}
	r.Append(Field{Name: name.span, Value: v.span, Kind: v.kind, Form: v.form, NameClean: name.clean})
}

// Remove removes every field called name and says whether there was one.
func (r Record) Remove(name string) bool { return r.removeBefore(name, int(r.row().n)) }

// removeBefore removes the fields called name that come before end, which counts
// from the record's first field.
func (r Record) removeBefore(name string, end int) (found bool) {
	for {
		i := r.find(name, end)
		if i < 0 {
			return found
		}
		r.removeAt(i)
		found, end = true, i-int(r.row().first)
	}
}

func (r Record) removeAt(i int) {
	r.touch(i)
	r.b.fields[i].Kind = field.Removed
}

// RemoveField removes the i-th entry of [Record.Fields].
func (r Record) RemoveField(i int) { r.removeAt(int(r.row().first) + i) }

// Rename gives the field called from the name to, which replaces a field that
// had it. It says whether there was a field to rename.
func (r Record) Rename(from string, to Name) bool {
	i := r.last(from)
	if i < 0 || from == to.text {
		return i >= 0
	}
	r.Remove(to.text)
	r.removeBefore(from, i-int(r.row().first))
	r.touch(i)
	f := &r.b.fields[i]
	f.Name, f.NameClean = to.span, to.clean
	return true
}

// Append adds a field without looking for one of the same name.
func (r Record) Append(f Field) {
	b, w := r.b, r.row()
	end := int(w.first) + int(w.n)
	switch {
	case w.n < w.room:
		b.fields[end] = f
	case end == len(b.fields):
		b.fields = append(b.fields, f)
		w.room++
	default:
		b.moveToEnd(w)
		b.fields = append(b.fields, f)
		w.room++
	}
	w.n++
}

func (b *Batch) moveToEnd(w *row) {
	first := len(b.fields)
	b.fields = append(b.fields, b.fields[w.first:w.first+w.n]...)
	w.first, w.room = uint32(first), w.n
}

// Merge adds the fields that a parser found, in order, and lets them win over
// existing fields of the same name.
func (r Record) Merge(parsed []Field) {
	b, w := r.b, r.row()
	b.openEnd(w)
	b.fields = append(b.fields, parsed...)
	r.closeEnd(len(parsed))
}

// openEnd makes the fields of w the last of the table, where more can be added.
func (b *Batch) openEnd(w *row) {
	if int(w.first+w.n) != len(b.fields) {
		b.moveToEnd(w)
	}
}

// closeEnd makes the last n fields of the table, which a parser has added, fields of r.
func (r Record) closeEnd(n int) {
	b, w := r.b, r.row()
	parsed := b.fields[len(b.fields)-n:]
	for i := range w.n {
		if old := &b.fields[w.first+i]; !old.Removed() && b.named(parsed, old.Name) {
			r.removeAt(int(w.first + i))
		}
	}
	w.n += uint32(n)
	w.room = w.n + spare
	b.fields = slices.Grow(b.fields, spare)
	b.fields = b.fields[:len(b.fields)+spare] // what they hold is set before it is read
}

// named says whether one of fields has the name at s.
func (b *Batch) named(fields []Field, s Span) bool {
	name := b.Bytes(s)
	for i := range fields {
		if f := &fields[i]; f.Name.Len == s.Len && string(b.Bytes(f.Name)) == string(name) {
			return true
		}
	}
	return false
}

// spells notes that the last n fields of r are what the JSON object at s says, in UTF-8
// and without line feeds: as long as none of them is changed, an encoder may copy it
// instead of the fields.
func (r Record) spells(s Span, n int) {
	if w := r.row(); w.objN == 0 || s.Len > w.object.Len {
		w.object, w.objFirst, w.objN = s, w.n-uint32(n), uint32(n)
	}
}

// Object returns the text of the JSON object that the fields [first, first+n) of
// [Record.Fields] were parsed from, while they are unchanged; n is 0 otherwise.
func (r Record) Object() (text []byte, first, n int) {
	w := r.row()
	return r.b.Bytes(w.object), int(w.objFirst), int(w.objN)
}

// touch notes that field i of the table changes, so that the object it was
// parsed from no longer stands for it.
func (r Record) touch(i int) {
	w := r.row()
	if rel := i - int(w.first); w.objN > 0 && rel >= int(w.objFirst) && rel < int(w.objFirst)+int(w.objN) {
		w.objN = 0
	}
}
