package file

import (
	"path/filepath"

	"github.com/spillway/spillway/record"
)

// Fields that say where a record is from, as OpenTelemetry names them.
const (
	pathField   = "log.file.path"
	nameField   = "log.file.name"
	offsetField = "log.file.offset"
)

// description is what records are told of the file that they are from.
type description struct {
	path, name, offset bool
	parts              *pathPattern
}

func (c *Config) description() (d description, err error) {
	for _, f := range c.FileFields {
		switch f {
		case "path":
			d.path = true
		case "name":
			d.name = true
		case "offset":
			d.offset = true
		}
	}
	d.parts, err = parsePathPattern(c.PathPattern)
	return d, err
}

func (d *description) empty() bool { return !d.path && !d.name && !d.offset && d.parts == nil }

// describe adds what is wished of f to b's records from first on. It writes into the
// arena: of what was read behind b's end nothing may still be needed.
func (r *reader) describe(f *file, b *record.Batch, first int) {
	d := &r.description
	if d.empty() || first == b.Len() {
		return
	}
	fs := r.fields[:0]
	if d.path {
		fs = append(fs, b.Name(pathField).Field(b.String(f.path)))
	}
	if d.name {
		fs = append(fs, b.Name(nameField).Field(b.String(filepath.Base(f.path))))
	}
	if d.parts != nil {
		fs = d.parts.fields(fs, b, f.path)
	}
	r.fields = fs
	for i := first; i < b.Len(); i++ {
		rec := b.Record(i)
		for _, field := range fs {
			rec.Append(field)
		}
		if d.offset {
			rec.Append(b.Name(offsetField).Field(b.Int(rec.Offset())))
		}
	}
}
