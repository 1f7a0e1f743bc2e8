package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spillway/spillway/record/jsonscan"
	"pgregory.net/rapid"
)

// model is a record as a plain list of names and values.
type model struct {
	fields []modelField
}

type modelField struct{ name, value string }

func (m *model) get(name string) (string, bool) {
	for _, f := range slices.Backward(m.fields) {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

func (m *model) set(name, value string) {
	last := -1
	for i, f := range m.fields {
		if f.name == name {
			last = i
		}
	}
	if last < 0 {
		m.fields = append(m.fields, modelField{name, value})
		return
	}
	m.fields[last].value = value
	i := 0
	m.fields = slices.DeleteFunc(m.fields, func(f modelField) bool {
		i++
		return f.name == name && i-1 != last
	})
}

func (m *model) remove(name string) {
	m.fields = slices.DeleteFunc(m.fields, func(f modelField) bool { return f.name == name })
}

func (m *model) rename(from, to string) {
	value, ok := m.get(from)
	if !ok || from == to {
		return
	}
	m.remove(to)
	last := 0
	for i, f := range m.fields {
		if f.name == from {
			last = i
		}
	}
	m.fields[last] = modelField{to, value}
	m.remove(from)
}

func (m *model) merge(parsed []modelField) {
	for _, f := range parsed {
		m.remove(f.name)
	}
	m.fields = append(m.fields, parsed...)
}

var names = []string{"message", "a", "b", "c.d", "é", ""}

// TestRecordsAreLikePlainLists runs random operations over the records of a
// batch, which share its tables, and over the model.
func TestRecordsAreLikePlainLists(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBatch()
		defer b.Release()
		n := rapid.IntRange(1, 5).Draw(t, "records")
		models := make([]model, n)
		for i := range models {
			line := fmt.Sprint("line", i)
			b.AddLine(b.Text(line), b.Source("s"), 0, 0)
			models[i].fields = []modelField{{Message, line}}
		}
		steps := rapid.IntRange(0, 60).Draw(t, "steps")
		for step := range steps {
			i := rapid.IntRange(0, n-1).Draw(t, "record")
			operate(t, b.Record(i), &models[i], step)
		}
		for i := range models {
			same(t, b.Record(i), &models[i])
		}
	})
}

func operate(t *rapid.T, r Record, m *model, step int) {
	b := r.Batch()
	name := rapid.SampledFrom(names).Draw(t, "name")
	value := fmt.Sprint("v", step)
	switch rapid.IntRange(0, 5).Draw(t, "operation") {
	case 0:
		r.Set(b.Name(name), b.String(value))
		m.set(name, value)
	case 1:
		_, had := m.get(name)
		if got := r.Remove(name); got != had {
			t.Fatalf("removing %q says %v", name, got)
		}
		m.remove(name)
	case 2:
		to := rapid.SampledFrom(names).Draw(t, "to")
		_, had := m.get(name)
		if got := r.Rename(name, b.Name(to)); got != had {
			t.Fatalf("renaming %q says %v", name, got)
		}
		m.rename(name, to)
	case 3:
		r.Append(b.Name(name).Field(b.String(value)))
		m.fields = append(m.fields, modelField{name, value})
	case 4:
		var parsed []modelField
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			parsed = append(parsed, modelField{rapid.SampledFrom(names).Draw(t, "member"), value})
		}
		mergeJSON(t, r, parsed)
		m.merge(parsed)
	case 5:
		if len(r.Fields()) == 0 {
			return
		}
		i := rapid.IntRange(0, len(r.Fields())-1).Draw(t, "field")
		f := &r.Fields()[i]
		if f.Removed() {
			return
		}
		live := 0
		for j := range i {
			if !r.Fields()[j].Removed() {
				live++
			}
		}
		r.RemoveField(i)
		m.fields = slices.Delete(m.fields, live, live+1)
	}
}

func mergeJSON(t *rapid.T, r Record, parsed []modelField) {
	var members []string
	for _, f := range parsed {
		name, _ := json.Marshal(f.name)
		value, _ := json.Marshal(f.value)
		members = append(members, string(name)+":"+string(value))
	}
	text := " {" + strings.Join(members, ",") + "} "
	b := r.Batch()
	if err := new(JSONParser).Merge(r, b.Value(b.Text(text), String, Plain)); err != nil {
		t.Fatal(err)
	}
}

// same compares a record with its model, by walking its fields, by asking for
// each name, and by decoding the object where it stands for fields.
func same(t *rapid.T, r Record, m *model) {
	var got []modelField
	fields := r.Fields()
	for i := range fields {
		if f := &fields[i]; !f.Removed() {
			got = append(got, modelField{string(r.FieldName(f)), string(r.FieldValue(f).Bytes())})
		}
	}
	if !slices.Equal(got, m.fields) {
		t.Fatalf("fields are %q, want %q", got, m.fields)
	}
	for _, name := range names {
		want, ok := m.get(name)
		v, has := r.Get(name)
		if has != ok || r.Has(name) != ok || has && string(v.Bytes()) != want {
			t.Fatalf("%q is %q (%v), want %q", name, v.Bytes(), has, want)
		}
	}
	object, first, n := r.Object()
	if n == 0 {
		return
	}
	var inside []modelField
	members, err := new(jsonscan.Object).Scan(nil, object, 0)
	if err != nil {
		t.Fatalf("object %q: %v", object, err)
	}
	text := func(s Span) string { return string(object[s.Off:][:s.Len]) }
	for _, member := range members {
		inside = append(inside, modelField{text(member.Name), text(member.Value)})
	}
	got = nil
	for i := range fields[first : first+n] {
		f := &fields[first+i]
		if f.Removed() {
			t.Fatalf("object %q stands for a removed field", object)
		}
		got = append(got, modelField{string(r.FieldName(f)), string(r.FieldValue(f).Bytes())})
	}
	if !slices.Equal(inside, got) {
		t.Fatalf("object %q does not stand for %q", object, got)
	}
}
