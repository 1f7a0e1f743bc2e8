// Package field is the shape of a record's field: what the scan of a text finds is
// written once, where the batch keeps it.
package field

// Span is a stretch of a text: of a batch's arena, where the field is in a batch.
type Span struct{ Off, Len uint32 }

// Kind is the type of a value.
type Kind uint8

// The kinds. Numbers are kept as the text they were read as, so that an int64
// never passes through a float. JSON is the valid text of an object or array, in
// UTF-8 and without line feeds. The text of a null is empty. Removed is the kind of a
// field that is gone.
const (
	Null Kind = iota
	String
	Int
	Float
	Bool
	Time
	Bytes
	JSON
	Removed
)

var kindNames = [...]string{"null", "string", "int", "float", "bool", "time", "bytes", "json", "removed"}

func (k Kind) String() string { return kindNames[k] }

// Form says how the text of a string relates to JSON.
type Form uint8

const (
	// Plain text may need escaping.
	Plain Form = iota
	// Clean text is the same inside JSON quotes.
	Clean
	// Escaped text is what stood between JSON quotes, escapes included.
	Escaped
)

// Field is one named value of a record.
type Field struct {
	Name, Value Span
	Kind        Kind
	Form        Form
	// NameClean says that the name needs no escaping in JSON.
	NameClean bool
}

// Removed says that the field is gone.
func (f *Field) Removed() bool { return f.Kind == Removed }
