package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// model is a spool on a file system that fails, with a source that resumes where
// the spool says and outputs that remember what they got at which offset.
type model struct {
	t    *testing.T
	rand *rand.Rand
	// faults is for the file system, which other goroutines use too.
	faults *rand.Rand
	fs     *faultfs.FS
	o      Options
	boot   int
	s      *Spool
	made   *recordbatch.Builder

	// next is the number that the source gives next, top the first that it has
	// never given.
	next, top int64
	outputs   []*modelOutput
	faulty    atomic.Bool
	powerCuts int
	// forgot says that acknowledgements died unwritten with a process.
	forgot bool
	tally  map[string]int
}

type modelOutput struct {
	id string
	c  *Cursor
	// got is what came at which offset, in any life.
	got map[int64]int64
	out []*Frame
	// deferred are the notes of what was put back, by offset.
	deferred map[int64]string
	last     int64
	// high is behind the highest number that came.
	high  int64
	acked map[int64]bool
}

const modelDir = "data/p"

func newModel(t *testing.T, seed uint64, compression recordbatch.Codec, sync Sync, tally map[string]int) *model {
	b, err := recordbatch.NewBuilder(compression)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{
		t: t, rand: rand.New(rand.NewPCG(seed, 7)), faults: rand.New(rand.NewPCG(seed, 8)), fs: faultfs.New(), made: b, tally: tally,
		o: Options{SegmentBytes: 4 << 10, MaxBytes: 1 << 20, TailBytes: 2 << 10, Sync: sync, Log: modelLog(t)},
	}
	for _, id := range []string{"a", "b"} {
		m.o.Outputs = append(m.o.Outputs, Output{ID: id, Lane: "numbers", StartOldest: true})
		m.outputs = append(m.outputs, &modelOutput{id: id, got: map[int64]int64{}, acked: map[int64]bool{}, deferred: map[int64]string{}})
	}
	return m
}

// modelLog is the spool's own log where SPILLWAY_SEED asks for one list.
func modelLog(t *testing.T) *slog.Logger {
	if os.Getenv("SPILLWAY_SEED") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// inject makes faults of writes, syncs and others while faulty.
func (m *model) inject(op faultfs.Op, name string, bytes int) *faultfs.Fault {
	if !m.faulty.Load() || m.faults.IntN(4) > 0 {
		return nil
	}
	switch op {
	case faultfs.OpWrite:
		if m.faults.IntN(2) == 0 {
			return &faultfs.Fault{Err: syscall.ENOSPC, Short: m.faults.IntN(bytes + 1)}
		}
		return &faultfs.Fault{Err: syscall.EIO, Short: m.faults.IntN(bytes + 1)}
	case faultfs.OpSync:
		return &faultfs.Fault{Err: syscall.EIO, Forget: strings.HasSuffix(name, ".log")}
	case faultfs.OpTruncate, faultfs.OpCreate, faultfs.OpRemove, faultfs.OpSyncDir:
		return &faultfs.Fault{Err: syscall.EIO}
	}
	return nil
}

func (m *model) open() {
	m.faulty.Store(false)
	m.fs.Inject(m.inject)
	m.o.BootID = strconv.Itoa(m.boot)
	s, err := Open(m.fs, modelDir, m.o)
	if err != nil {
		m.t.Fatalf("open: %v", err)
	}
	m.s = s
	m.say("opened, next offset %d, %d segments", s.next, len(s.segments))
	m.next = 0
	for _, p := range s.Resume("src/") {
		m.next = p.Offset
	}
	if m.next > m.top {
		m.t.Fatalf("the source is at %d, but never gave more than %d", m.next, m.top)
	}
	for _, o := range m.outputs {
		if o.c, err = s.Cursor(o.id); err != nil {
			m.t.Fatal(err)
		}
		for base, note := range o.deferred {
			said := slices.ContainsFunc(o.c.InDoubt(), func(st Staged) bool { return st.Offset <= base && base < st.End && string(st.Note) == note })
			if !said && m.powerCuts == 0 && !m.forgot {
				m.t.Fatalf("output %s: the frame at %d was deferred as %q, but in doubt is %v", o.id, base, note, o.c.InDoubt())
			}
		}
		o.out, o.last = nil, -1
		clear(o.deferred)
	}
	m.holds()
}

// holds checks that every number before the source's position is in the spool or
// was acknowledged by both outputs.
func (m *model) holds() {
	there := map[int64]bool{}
	var r recordbatch.Reader
	err := Walk(m.fs, modelDir, func(e Entry) error {
		if e.Mark || e.Bad != nil {
			return nil
		}
		if err := r.Reset(e.Batch); err != nil {
			return err
		}
		for r.Next() {
			n, err := strconv.ParseInt(string(r.Record().Value), 10, 64)
			if err != nil {
				return err
			}
			there[n] = true
		}
		return r.Err()
	})
	if err != nil {
		m.t.Fatal(err)
	}
	for _, o := range m.outputs {
		for offset, n := range o.got {
			if o.acked[offset] {
				there[n] = true
			}
		}
	}
	for n := range m.next {
		if !there[n] {
			m.dump()
			m.t.Fatalf("%d is before the source's position %d, but not in the spool", n, m.next)
		}
	}
}

// die ends the spool's goroutines without letting it tidy up.
func (m *model) die() {
	m.s.stop()
	m.s.workers.Wait()
}

// disk is what is left of the disk at this moment. The cursors' turns are held, so that
// what the journals lack then is known: the dying process may yet write it, to a disk
// that nobody sees any more.
func (m *model) disk(left func() *faultfs.FS) *faultfs.FS {
	for _, o := range m.outputs {
		o.c.turn <- struct{}{}
	}
	next := left()
	for _, o := range m.outputs {
		if len(o.c.backlog) > 0 {
			m.forgot = true
			m.tally["acknowledgement forgotten"]++
		}
		<-o.c.turn
	}
	return next
}

func (m *model) append(n int) {
	lane, err := m.s.Lane("numbers")
	if err != nil {
		m.t.Fatal(err)
	}
	g := &Group{Account: Account{Read: int64(n), Appended: int64(n)}}
	at := m.next
	for at < m.next+int64(n) {
		m.made.Reset(lane, time.Now().UnixMilli())
		for range min(int64(1+m.rand.IntN(20)), m.next+int64(n)-at) {
			m.made.Close(fmt.Appendf(m.made.Open(), "%d", at), nil)
			at++
		}
		f := NewFrame()
		f.Count, f.Lane = int32(m.made.Count()), lane
		if f.Data, err = m.made.Finish(f.Data[:0]); err != nil {
			m.t.Fatal(err)
		}
		g.Frames = append(g.Frames, f)
	}
	g.Positions = []record.Position{{Source: "src/numbers", Offset: at, State: fmt.Appendf(nil, "state %d", at), Seen: time.Now()}}
	ctx, stop := context.WithTimeout(m.t.Context(), time.Minute)
	defer stop()
	m.top = max(m.top, at)
	switch err := m.s.Append(ctx, g); {
	case err == nil:
		m.say("appended %d up to %d, next offset %d", m.next, at, m.s.Status().Next)
		m.next = at
		m.tally["append"]++
	case errors.Is(err, context.DeadlineExceeded):
		m.tally["append given up"]++
	default:
		m.t.Fatalf("append: %v", err)
	}
}

// read takes the frames that are there and holds them against what came before.
func (m *model) read(o *modelOutput, most int) {
	for range most {
		f, again, err := o.c.poll()
		if err != nil {
			m.t.Fatalf("output %s: %v", o.id, err)
		}
		if f == nil {
			if again {
				continue
			}
			return
		}
		if f.Base <= o.last {
			m.t.Fatalf("output %s: frame at %d behind %d", o.id, f.Base, o.last)
		}
		o.last = f.Base
		if m.o.Sync.Mode == SyncAlways && !m.fs.Durable(f.Data) {
			m.t.Fatalf("output %s: the frame at %d came before it was durable", o.id, f.Base)
		}
		m.check(o, f)
		if m.rand.IntN(3) == 0 {
			if err := o.c.Stage(f, []byte("note")); err != nil {
				m.t.Fatal(err)
			}
		}
		o.out = append(o.out, f)
	}
}

func (m *model) check(o *modelOutput, f *Frame) {
	var r recordbatch.Reader
	if err := f.Records(&r); err != nil {
		m.t.Fatal(err)
	}
	for r.Next() {
		offset := f.Base + int64(r.Record().OffsetDelta)
		n, err := strconv.ParseInt(string(r.Record().Value), 10, 64)
		if err != nil {
			m.t.Fatal(err)
		}
		if before, ok := o.got[offset]; ok && before != n {
			m.t.Fatalf("output %s: offset %d holds %d now and held %d before: an offset was used twice", o.id, offset, n, before)
		}
		if n > o.high {
			m.dump()
			m.t.Fatalf("output %s: %d at %d comes before %d", o.id, n, offset, o.high)
		}
		o.high = max(o.high, n+1)
		o.got[offset] = n
		m.say("%s got %d at %d", o.id, n, offset)
		if o.acked[offset] && m.powerCuts == 0 && !m.forgot {
			m.t.Fatalf("output %s: offset %d comes again after its acknowledgement", o.id, offset)
		}
	}
	if r.Err() != nil {
		m.t.Fatal(r.Err())
	}
}

func (m *model) ack(o *modelOutput) {
	if len(o.out) == 0 {
		return
	}
	i := 0
	if o.id == "b" {
		i = m.rand.IntN(len(o.out))
	}
	f := o.out[i]
	o.out = slices.Delete(o.out, i, i+1)
	base, end := f.Base, f.End()
	if err := o.c.Ack(f); err != nil {
		m.t.Fatalf("ack: %v", err)
	}
	for at := base; at < end; at++ {
		o.acked[at] = true
	}
	m.tally["ack"]++
}

func (m *model) putBack(o *modelOutput) {
	if len(o.out) == 0 {
		return
	}
	i := m.rand.IntN(len(o.out))
	f, note := o.out[i], []string{"x", "xy"}[m.rand.IntN(2)]
	o.out = slices.Delete(o.out, i, i+1)
	o.deferred[f.Base] = note
	if err := o.c.Defer(f, []byte(note)); err != nil {
		m.t.Fatalf("defer: %v", err)
	}
	m.tally["defer"]++
}

// recall takes the oldest frame that is deferred with a note of this in it, and says
// whether there was one.
func (m *model) recall(o *modelOutput, want string) bool {
	first := int64(-1)
	for base, note := range o.deferred {
		if strings.Contains(note, want) && (first < 0 || base < first) {
			first = base
		}
	}
	f, note, err := o.c.Recall(math.MaxInt64, func(note []byte) bool { return strings.Contains(string(note), want) })
	switch {
	case err != nil:
		m.t.Fatalf("recall: %v", err)
	case f == nil && first < 0:
		return false
	case f == nil || f.Base != first || string(note) != o.deferred[first]:
		m.t.Fatalf("output %s: recalled %+v as %q, want that at %d as %q", o.id, f, note, first, o.deferred[first])
	}
	delete(o.deferred, first)
	m.check(o, f)
	o.out = append(o.out, f)
	m.tally["recall"]++
	return true
}

func (m *model) say(format string, args ...any) { m.o.Log.Info(fmt.Sprintf(format, args...)) }

func (m *model) step() {
	o := m.outputs[m.rand.IntN(len(m.outputs))]
	switch n := m.rand.IntN(100); {
	case n < 40:
		m.append(1 + m.rand.IntN(60))
	case n < 60:
		m.read(o, 1+m.rand.IntN(5))
	case n < 75:
		m.ack(o)
	case n < 78:
		m.putBack(o)
	case n < 80:
		m.recall(o, "xy"[m.rand.IntN(2):][:1])
	case n < 83:
		if o.c.inTurn(o.c.renew) == nil { // which also merges
			m.tally["compact"]++
		}
	case n < 86:
		time.Sleep(time.Duration(m.rand.IntN(3000)) * time.Millisecond)
	case n < 92:
		m.faulty.Store(!m.faulty.Load())
	case n < 94:
		m.faulty.Store(false)
		if err := m.s.Close(); err != nil {
			m.t.Fatalf("close: %v", err)
		}
		m.tally["reopen"]++
		m.open()
	case n < 97:
		m.say("kill")
		next := m.disk(m.fs.Kill)
		m.die()
		m.collect()
		m.fs = next
		m.tally["kill"]++
		m.open()
	default:
		m.say("power cut")
		next := m.disk(func() *faultfs.FS { return m.fs.PowerCut(m.rand) })
		m.die()
		m.collect()
		m.fs = next
		m.boot++
		m.powerCuts++
		m.tally["power cut"]++
		m.open()
	}
}

// dump logs what the spool holds.
func (m *model) dump() {
	for _, o := range m.outputs {
		m.say("output %s: %+v", o.id, o.c.out)
	}
	_ = Walk(m.fs, modelDir, func(e Entry) error {
		m.say("%s@%d offset %d size %d records %d mark %v %v bad %v", e.Segment, e.Position, e.Offset, e.Size, e.Records, e.Mark, e.Sources, e.Bad)
		return nil
	})
}

// collect counts the faults that were really made.
func (m *model) collect() {
	for _, op := range []faultfs.Op{faultfs.OpWrite, faultfs.OpSync, faultfs.OpTruncate, faultfs.OpCreate, faultfs.OpRemove} {
		m.tally["failed "+op.String()] += m.fs.Injected(op)
	}
}

// finish delivers everything and checks that every number is there, once where the
// settings promise it.
func (m *model) finish() {
	m.faulty.Store(false)
	m.append(10)
	time.Sleep(2 * longestWait) // what failed before is tried again by then
	for _, o := range m.outputs {
		m.read(o, 1<<30)
		for m.recall(o, "x") {
		}
		for len(o.out) > 0 {
			m.ack(o)
		}
	}
	time.Sleep(2 * time.Second)
	for _, o := range m.outputs {
		m.read(o, 1<<30)
		times := map[int64]int{}
		for _, n := range o.got {
			times[n]++
		}
		for n := range m.next {
			switch {
			case times[n] == 0:
				m.dump()
				m.t.Fatalf("output %s: %d is lost", o.id, n)
			case times[n] > 1 && (m.powerCuts == 0 || m.o.Sync.Mode == SyncAlways):
				m.t.Fatalf("output %s: %d came at %d offsets", o.id, n, times[n])
			case times[n] > 1:
				m.tally["doubled after a power cut"]++
			}
		}
	}
	m.collect()
	if err := m.s.Close(); err != nil {
		m.t.Fatal(err)
	}
	report, err := Audit(m.fs, modelDir)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := report.Account.Balance(); err != nil {
		m.t.Fatal(err)
	}
	if report.Account.Read != m.next {
		m.t.Fatalf("the account says %d were read, but %d were", report.Account.Read, m.next)
	}
	for i := range report.Outputs {
		if err := report.Outputs[i].Balance(); err != nil {
			m.t.Fatal(err)
		}
	}
}

// TestModel drives spools with random operations and faults, the same lists under
// each compression and sync setting.
//
// SPILLWAY_SOAK sets for how long, SPILLWAY_SEED where to begin.
func TestModel(t *testing.T) {
	syncs := map[string]Sync{"always": {Mode: SyncAlways}, "1s": {Mode: SyncInterval, Every: time.Second}}
	codecs := []recordbatch.Codec{recordbatch.None, recordbatch.Gzip, recordbatch.Snappy, recordbatch.LZ4, recordbatch.Zstd}
	long, lists := soak(t), 3
	if testing.Short() {
		lists = 2
	}
	seed := uint64(time.Now().UnixNano() % 1_000_000)
	if text := os.Getenv("SPILLWAY_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	start, first := time.Now(), seed
	tally := map[string]int{}
	for i := 0; i < lists || time.Since(start) < long; i++ {
		for name, sync := range syncs {
			for _, codec := range codecs {
				ok := t.Run(fmt.Sprintf("seed=%d,sync=%s,%s", seed, name, codec), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := newModel(t, seed, codec, sync, tally)
						m.open()
						defer func() { m.die() }()
						for range 150 {
							m.step()
						}
						m.finish()
					})
				})
				if !ok {
					return
				}
			}
		}
		seed++
	}
	t.Logf("%d lists, tally %v", seed-first, tally)
	for _, what := range []string{"append", "ack", "compact", "defer", "recall", "reopen", "kill", "power cut", "failed write", "failed sync", "failed truncate", "failed create"} {
		if tally[what] == 0 {
			t.Errorf("%q never happened", what)
		}
	}
	modelEvidence(t, start, first, seed, tally)
}

func soak(t *testing.T) time.Duration {
	text := os.Getenv("SPILLWAY_SOAK")
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func modelEvidence(t *testing.T, start time.Time, first, end uint64, tally map[string]int) {
	dir := os.Getenv("SPILLWAY_EVIDENCE")
	if dir == "" || t.Failed() {
		return
	}
	text, err := json.MarshalIndent(map[string]any{
		"name": "spool-model", "seed": first, "revision": os.Getenv("SPILLWAY_REVISION"),
		"started": start.UTC().Format(time.RFC3339), "duration_seconds": int(time.Since(start).Seconds()),
		"figures": map[string]any{"lists": end - first, "settings": 10, "operations": tally},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spool-model.json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
