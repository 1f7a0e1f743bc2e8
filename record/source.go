package record

import "time"

// Source returns the index of the source with this key, for [Batch.AddLine]
// and [Batch.Position]. A source that is new to the batch gets an empty
// position. Keys are unique within an input.
func (b *Batch) Source(key string) int {
	if i := b.findSource(key); i >= 0 {
		return i
	}
	i := len(b.sources)
	if i < cap(b.sources) {
		b.sources = b.sources[:i+1]
		b.sources[i] = Position{Source: key, State: b.sources[i].State[:0]}
	} else {
		b.sources = append(b.sources, Position{Source: key})
	}
	b.indexSource(i)
	return i
}

// fewSources is up to how many sources a batch is searched without an index.
const fewSources = 16

func (b *Batch) findSource(key string) int {
	if len(b.sources) > fewSources {
		if i, ok := b.index[key]; ok {
			return i
		}
		return -1
	}
	for i := len(b.sources) - 1; i >= 0; i-- {
		if b.sources[i].Source == key {
			return i
		}
	}
	return -1
}

func (b *Batch) indexSource(i int) {
	switch {
	case i < fewSources:
	case i == fewSources:
		if b.index == nil {
			b.index = make(map[string]int)
		}
		for j := range b.sources {
			b.index[b.sources[j].Source] = j
		}
	default:
		b.index[b.sources[i].Source] = i
	}
}

// Position is the position of source i, to be filled in by the input before it
// emits: how far the source is read once this batch is in the spool.
func (b *Batch) Position(i int) *Position { return &b.sources[i] }

// Positions are the positions of all sources in b. The slice and its contents
// live as long as b.
func (b *Batch) Positions() []Position { return b.sources }

// Position says how far a source has been read. It becomes durable together
// with the records it made.
type Position struct {
	// Source identifies the source within its pipeline. An input chooses it
	// once for a source and keeps it for the source's whole life.
	Source string
	// Offset is the next byte, or message, to read.
	Offset int64
	// State is what else the input needs to find the source again, in a form
	// that only the input knows.
	State []byte
	// Records, Bytes, Cut and Lost count, over the life of the source, the
	// records and bytes read, the records cut to the longest allowed length,
	// and the bytes that vanished unread.
	Records, Bytes, Cut, Lost int64
	// Seen is when the source was last known to exist.
	Seen time.Time
}

// Clone returns a copy of p that owns its State.
func (p Position) Clone() Position {
	p.State = append([]byte(nil), p.State...)
	return p
}
