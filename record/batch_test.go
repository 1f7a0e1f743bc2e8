package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// readBlock puts a block into the batch and adds its lines, as an input does.
func readBlock(b *Batch, block string) {
	n := copy(b.Space(len(block)), block)
	s := b.Commit(n)
	off := s.Off
	for line := range strings.Lines(block) {
		text := strings.TrimSuffix(line, "\n")
		b.AddLine(Span{Off: off, Len: uint32(len(text))}, 0, int64(off-s.Off), 7)
		off += uint32(len(line))
	}
}

func TestLinesAreNotCopied(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	b.Source("a")
	before := b.Size()
	readBlock(b, "one\n\nthree\n")
	if got := b.Size() - before; got != len("one\n\nthree\n") {
		t.Errorf("the arena grew by %d bytes", got)
	}
	for i, want := range []string{"one", "", "three"} {
		r := b.Record(i)
		if v, ok := r.Get(Message); !ok || string(v.Bytes()) != want || string(r.Raw()) != want || r.Raw() == nil {
			t.Errorf("line %d is %q, raw %q", i, v.Bytes(), r.Raw())
		}
		if r.Time() != 7 || r.Source().Source != "a" {
			t.Errorf("line %d: time %d, source %q", i, r.Time(), r.Source().Source)
		}
	}
	if got := b.Record(2).Offset(); got != 5 {
		t.Errorf("offset %d", got)
	}
}

func TestBlocksLieTogetherThoughLinesAreAddedBetween(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	first := b.Commit(copy(b.Space(10), "begun, "))
	b.AddLine(Span{Off: first.Off, Len: 5}, b.Source("a"), 0, 0)
	second := b.Commit(copy(b.Space(1<<20), "finished"))
	if got := b.Bytes(Span{Off: first.Off, Len: first.Len + second.Len}); string(got) != "begun, finished" {
		t.Errorf("got %q", got)
	}
}

func TestRecordWithoutLineHasNoRaw(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	r := b.AddRecord(b.Source("a"), 1, 2)
	if r.Raw() != nil {
		t.Errorf("raw is %q", r.Raw())
	}
	if _, ok := r.Get(Message); ok {
		t.Error("there is a message")
	}
}

func TestSourcesAreFound(t *testing.T) {
	b := NewBatch()
	for round := range 2 {
		for i := range 100 {
			key := fmt.Sprint("source", i)
			if got := b.Source(key); got != i {
				t.Fatalf("round %d: %s is source %d", round, key, got)
			}
			if p := b.Position(i); p.Offset != 0 || len(p.State) != 0 {
				t.Fatalf("round %d: a new position is %+v", round, p)
			}
		}
		for i := range 100 {
			if got := b.Source(fmt.Sprint("source", i)); got != i {
				t.Fatalf("round %d: source %d is %d", round, i, got)
			}
			b.Position(i).Offset = 9
			b.Position(i).State = append(b.Position(i).State, "state"...)
		}
		b.reset()
	}
	b.Release()
}

func TestReleasedBatchComesBackEmpty(t *testing.T) {
	b := NewBatch()
	readBlock(b, "a\nb\n")
	b.Source("a")
	b.Appended = func(error) {}
	b.Name("x")
	b.Release()
	for range 10 {
		b := NewBatch()
		if b.Len() != 0 || !b.Empty() || b.Appended != nil || len(b.Positions()) != 0 || b.Full() {
			t.Fatalf("not empty: %+v", b)
		}
		readBlock(b, "c\n")
		if v, _ := b.Record(0).Get(Message); string(v.Bytes()) != "c" {
			t.Fatalf("message is %q", v.Bytes())
		}
		defer b.Release()
	}
}

func TestReleasingTwicePanics(t *testing.T) {
	b := NewBatch()
	b.Release()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.Release()
}

func TestGiantBatchesLeaveThePool(t *testing.T) {
	for name, grow := range map[string]func(*Batch){
		"arena":  func(b *Batch) { b.Space(keepBytes + 1) },
		"fields": func(b *Batch) { b.fields = make([]Field, 0, keepFields+1) },
		"rows":   func(b *Batch) { b.rows = make([]row, 0, keepRows+1) },
		"sources": func(b *Batch) {
			for i := range keepSources + 1 {
				b.Source(fmt.Sprint(i))
			}
		},
	} {
		giant := NewBatch()
		grow(giant)
		giant.Release()
		for range 100 {
			b := NewBatch()
			if b == giant {
				t.Errorf("%s: the giant came back", name)
			}
			defer b.Release()
		}
	}
}

func TestFullByBytesAndByRecords(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	for range MaxRecords {
		if b.Full() {
			t.Fatal("full too early")
		}
		b.AddRecord(0, 0, 0)
	}
	if !b.Full() {
		t.Error("not full with all its records")
	}
	c := NewBatch()
	defer c.Release()
	c.Copy(bytes.Repeat([]byte("x"), BatchBytes))
	if !c.Full() {
		t.Error("not full with all its bytes")
	}
}

func TestKeptPassesOverTheOthers(t *testing.T) {
	b := NewBatch()
	defer b.Release()
	readBlock(b, "a\nb\nc\nd\n")
	b.Record(0).Drop(Filtered)
	b.Record(2).Reject("because")
	var kept []string
	for r := range b.Kept() {
		kept = append(kept, string(r.Raw()))
		b.Record(3).Drop(ParseFailed)
	}
	if len(kept) != 1 || kept[0] != "b" {
		t.Errorf("kept %q", kept)
	}
	if r := b.Record(2); r.Fate() != Rejected || string(r.Cause()) != "because" {
		t.Errorf("%v because of %q", r.Fate(), r.Cause())
	}
}
