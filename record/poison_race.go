//go:build race

package record

import "github.com/spillway/spillway/record/field"

const poison = true

// overwrite makes everything read from a released batch visibly wrong.
func (b *Batch) overwrite() {
	arena := b.arena[:cap(b.arena)]
	for i := range arena {
		arena[i] = 0xCC
	}
	for i := range b.fields {
		b.fields[i] = Field{Kind: field.Removed}
	}
	clear(b.rows)
}
