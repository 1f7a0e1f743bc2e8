package file

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func sampleState() state {
	return state{
		identity: identity{
			inode: inode{dev: 0xfd00, ino: 1 << 40}, birth: 1_700_000_000_123_456_789,
			headLen: 1024, head: [16]byte{1, 2, 15: 3}, tailLen: 256, tailHash: [8]byte{4, 7: 5},
		},
		content:  content{generation: 7, offset: 1 << 33, size: 1<<33 + 5, sumFrom: 12, sum: 0xdeadbeef},
		skipping: true, isCopy: true, path: "/var/log/app.log",
	}
}

func TestStateReadsBackEqual(t *testing.T) {
	for _, want := range []state{sampleState(), {}} {
		got, err := decodeState(want.append(nil), want.offset)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
}

func TestTornStatesAreRefused(t *testing.T) {
	s := sampleState()
	p := s.append(nil)
	for n := range len(p) {
		if _, err := decodeState(p[:n], s.offset); err == nil {
			t.Errorf("%d of %d bytes were taken for a state", n, len(p))
		}
	}
	if _, err := decodeState(append(p, 0), s.offset); err == nil {
		t.Error("a byte too many was taken for part of a state")
	}
	if _, err := decodeState(p, 10); err == nil {
		t.Error("a tail longer than what was read was believed")
	}
	p[1] |= 0x80
	if _, err := decodeState(p, s.offset); err == nil {
		t.Error("an unknown flag was ignored")
	}
	p[0]++
	if _, err := decodeState(p, s.offset); !errors.Is(err, errNewerState) {
		t.Errorf("a newer version: %v", err)
	}
}

func FuzzState(f *testing.F) {
	s := sampleState()
	f.Add(s.append(nil), s.offset)
	f.Add((&state{}).append(nil), int64(0))
	f.Add([]byte{1, 0}, int64(1))
	f.Fuzz(func(t *testing.T, p []byte, offset int64) {
		s, err := decodeState(p, offset)
		if err != nil {
			return
		}
		again, err := decodeState(s.append(nil), offset)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v was written as %x and read as %+v, %v", s, s.append(nil), again, err)
		}
		if !bytes.Equal(again.append(nil), s.append(nil)) {
			t.Fatal("a state has two forms")
		}
	})
}

func TestRotationNames(t *testing.T) {
	for _, c := range []struct {
		original, name string
		want           bool
	}{
		{"app.log", "app.log.1", true},
		{"app.log", "app.log.12.gz", true},
		{"app.log", "app.log-20261120", true},
		{"app.log", "app.log-20261120.zst", true},
		{"app.log", "app-20261120.log", true},
		{"app.log", "app.1.log", true},
		{"app.log", "app.log.2026-11-20T12", true},
		{"app.log", "app-2026-11-20_12:00:00.log.gz", true},
		{"app.log", "app.log.old", true},
		{"app.log", "app.log.bak", true},
		{"app", "app.1", true},
		{"app", "app-20261120-1732143600", true},
		{"app.log", "app.log", false},
		{"app.log", "app.log.gz", false},
		{"app.log", "app.logs", false},
		{"app.log", "other.log.1", false},
		{"app.log", "app.log.tmp", false},
		{"app-1.log", "app-2.log", false},
		{"app.log", "my-app.log.1", false},
		{"app.log", "app.log.", false},
		{"app.log", ".1", false},
	} {
		if got := rotationOf(c.original, c.name); got != c.want {
			t.Errorf("is %q a rotation name of %q: %v, want %v", c.name, c.original, got, c.want)
		}
	}
}

func TestMarksReachBackToTheBeginning(t *testing.T) {
	var m marks
	for i := range int64(100_000) {
		m.add(i*10, uint32(i))
	}
	if len(m) > maxMarks || m[0].offset != 0 || m[len(m)-1].offset != 999_990 {
		t.Fatalf("%d marks from %d to %d", len(m), m[0].offset, m[len(m)-1].offset)
	}
	for i := 1; i < len(m); i++ {
		if m[i].offset <= m[i-1].offset || uint32(m[i].offset/10) != m[i].sum {
			t.Fatalf("mark %d is %+v after %+v", i, m[i], m[i-1])
		}
	}
	if gap := m[len(m)-1].offset - m[len(m)-denseMarks].offset; gap != (denseMarks-1)*10 {
		t.Fatalf("the newest marks span %d bytes", gap)
	}
}
