package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/processors"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The test components: an input that counts to a number, a processor that
// panics or fails at a line, and an output that collects what it gets.

type countTo struct {
	Lines  int    `yaml:"lines" doc:"How many lines."`
	Size   int    `yaml:"size" doc:"Lines in a batch."`
	Answer string `yaml:"answer" doc:"What to panic with when a batch is in the spool."`
	Hang   bool   `yaml:"hang" doc:"Do nothing until released, whatever the context says."`
}

type counting struct {
	*countTo
	env inputs.Env
}

func (c *counting) Run(ctx context.Context, out inputs.Emitter) error {
	next := int64(0)
	for _, p := range out.Resume() {
		if p.Source != "numbers" {
			return fmt.Errorf("resumed source %q", p.Source)
		}
		next = p.Offset
	}
	if c.Hang {
		<-released
	}
	for next < int64(c.Lines) {
		b := out.Batch()
		src := b.Source("numbers")
		for range c.Size {
			if next == int64(c.Lines) {
				break
			}
			b.AddLine(b.Text(fmt.Sprintf("line-%d", next)), src, next, 1)
			next++
		}
		p := b.Position(src)
		p.Offset, p.Records = next, next
		if c.Answer != "" {
			b.Appended = func(error) { panic(c.Answer) }
		}
		if err := out.Emit(ctx, b); err != nil {
			return err
		}
	}
	if c.env.Once {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

type misbehave struct {
	Build  string `yaml:"build" doc:"What to panic with when it is built."`
	Panic  string `yaml:"panic" doc:"The line to panic at."`
	Reject string `yaml:"reject" doc:"The lines to reject contain this."`
	Drop   string `yaml:"drop" doc:"The lines to drop contain this."`
}

func (m *misbehave) Process(b *record.Batch) error {
	for i := range b.Len() {
		line := string(b.Record(i).Raw())
		switch {
		case m.Panic != "" && line == m.Panic:
			panic("at " + line)
		case m.Reject != "" && strings.Contains(line, m.Reject):
			b.Record(i).Reject("no good")
		case m.Drop != "" && strings.Contains(line, m.Drop):
			b.Record(i).Drop(record.Filtered)
		}
	}
	return nil
}

type collect struct {
	Name   string `yaml:"name" doc:"Where the lines go."`
	Block  bool   `yaml:"block" doc:"Take nothing."`
	Hang   bool   `yaml:"hang" doc:"Take nothing, and do not stop either."`
	Fail   bool   `yaml:"fail" doc:"Fail at once."`
	Reject bool   `yaml:"reject" doc:"Send everything to the dead letters."`
}

type refuse struct {
	Name   string `yaml:"name" doc:"Where the other lines go."`
	Refuse string `yaml:"refuse" doc:"The lines to refuse contain this."`
}

func newRefuse(c *refuse, env outputs.Env) (outputs.Output, error) {
	return outputs.Each(env, func(_ context.Context, r *outputs.Records) error {
		for r.Next() {
			line := string(r.Value())
			if strings.Contains(line, c.Refuse) {
				return &outputs.RecordError{Index: r.Index(), Err: errors.New("no good")}
			}
			sinks.Lock()
			sinks.lines[c.Name] = append(sinks.lines[c.Name], line)
			sinks.Unlock()
			r.Confirm(r.Index())
		}
		return nil
	}), nil
}

// released ends the outputs that hang, when it is closed.
var released chan struct{}

// sinks holds what collect outputs got, by name.
var sinks = struct {
	sync.Mutex
	lines map[string][]string
}{lines: map[string][]string{}}

func (c *collect) Run(ctx context.Context, in outputs.Frames) error {
	if c.Fail {
		return errors.New("cannot go on")
	}
	if c.Hang {
		<-released
		return errors.New("released")
	}
	if c.Block {
		<-ctx.Done()
		return ctx.Err()
	}
	var r recordbatch.Reader
	for {
		f, err := in.Next(ctx)
		if err != nil {
			return err
		}
		if err := f.Records(&r); err != nil {
			return err
		}
		if c.Reject {
			if err := in.Reject(f, -1, errors.New("no good")); err != nil {
				return err
			}
		}
		sinks.Lock()
		for r.Next() {
			sinks.lines[c.Name] = append(sinks.lines[c.Name], string(r.Record().Value))
		}
		sinks.Unlock()
		if err := in.Ack(f); err != nil {
			return err
		}
	}
}

func init() {
	inputs.Register("count", "Counts.", func() *countTo { return &countTo{Lines: 10, Size: 3} },
		func(c *countTo, env inputs.Env) (inputs.Input, error) { return &counting{c, env}, nil })
	processors.Register("misbehave", "Misbehaves.", func() *misbehave { return &misbehave{} },
		func(c *misbehave, _ processors.Env) (processors.Processor, error) {
			if c.Build != "" {
				panic(c.Build)
			}
			return c, nil
		})
	outputs.Register("collect", "Collects.", func() *collect { return &collect{} },
		func(c *collect, _ outputs.Env) (outputs.Output, error) { return c, nil })
	outputs.Register("refuse", "Refuses.", func() *refuse { return &refuse{} }, newRefuse)
}

func collected(name string) []string {
	sinks.Lock()
	defer sinks.Unlock()
	return append([]string(nil), sinks.lines[name]...)
}

// document loads a configuration whose pipelines stand indented by two.
func document(t *testing.T, dir, pipelines string) *Document {
	t.Helper()
	file := filepath.Join(dir, "spillway.yaml")
	if !strings.Contains(pipelines, "dead_letters") {
		// The default is a file, which is not part of this test's build.
		pipelines = strings.ReplaceAll(pipelines, "    inputs:", "    dead_letters: {collect: {name: dead}}\n    inputs:")
	}
	text := "data_dir: ./data\nadmin: {listen: \"\"}\npipelines:\n" + pipelines
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func daemon(t *testing.T, doc *Document, once bool) *Daemon {
	t.Helper()
	d, err := NewDaemon(doc, "boot", once, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func wantLines(t *testing.T, name string, from, to int) {
	t.Helper()
	got := collected(name)
	if len(got) != to-from {
		t.Fatalf("%s got %d lines, want %d", name, len(got), to-from)
	}
	for i, line := range got {
		if want := fmt.Sprintf("line-%d", from+i); line != want {
			t.Fatalf("%s line %d is %s, want %s", name, i, line, want)
		}
	}
}

func balanced(t *testing.T, s Status) {
	t.Helper()
	if err := s.Account.Balance(); err != nil {
		t.Error(err)
	}
	for i := range s.Outputs {
		if err := s.Outputs[i].Balance(); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryLineArrivesOnceAndInOrderAcrossRestarts(t *testing.T) {
	for _, kind := range []string{"disk", "memory"} {
		t.Run(kind, func(t *testing.T) {
			dir, name := t.TempDir(), t.Name()
			for i, lines := range []int{1000, 1000, 25_000} {
				doc := document(t, dir, fmt.Sprintf(`  p:
    inputs: [{count: {lines: %d, size: 7}}]
    encode: {codec: raw}
    spool: {type: %s, segment_bytes: 64KiB, max_bytes: 1MiB}
    outputs: [{collect: {name: %s}}]
`, lines, kind, name))
				d := daemon(t, doc, true)
				if err := d.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				s := d.Pipelines()[0].Status()
				balanced(t, s)
				// A spool in memory counts from its start.
				if kind == "disk" && (s.Account.Read != int64(lines) || s.Outputs[0].Acked != int64(lines)) {
					t.Fatalf("run %d: %d read and %d acknowledged, want %d", i, s.Account.Read, s.Outputs[0].Acked, lines)
				}
				wantLines(t, name, 0, lines)
			}
		})
	}
}

func TestAPanicFailsItsPipelineAndNoOther(t *testing.T) {
	name := t.Name()
	doc := document(t, t.TempDir(), fmt.Sprintf(`  bad:
    inputs: [{count: {lines: 100}}]
    processors: [{misbehave: {panic: line-50}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s-bad}}]
  good:
    inputs: [{count: {lines: 100}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s-good}}]
`, name, name))
	d := daemon(t, doc, true)
	err := d.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "pipeline bad: processor 1 (misbehave): panic: at line-50") {
		t.Fatalf("error %v, want one that names the pipeline, the processor and the panic", err)
	}
	wantLines(t, name+"-good", 0, 100)
	if why := d.Unready(); len(why) != 1 || !strings.Contains(why[0], "pipeline bad: failed") {
		t.Fatalf("unready: %q, want the bad pipeline", why)
	}
}

func TestAFailingOutputStopsItsPipelineByName(t *testing.T) {
	doc := document(t, t.TempDir(), "  p:\n    inputs: [{count: {}}]\n    outputs: [{collect: {id: broken, fail: true}}]\n")
	err := daemon(t, doc, true).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "output broken: cannot go on") {
		t.Fatalf("error %v, want the output's id and its error", err)
	}
}

func TestABlockedOutputHoldsNoOtherUntilTheSpoolIsFull(t *testing.T) {
	name := t.Name()
	doc := document(t, t.TempDir(), fmt.Sprintf(`  p:
    inputs: [{count: {lines: 20000, size: 100}}]
    encode: {codec: raw}
    drain_timeout: 50ms
    outputs:
      - collect: {name: %s}
      - collect: {id: stuck, block: true}
`, name))
	d := daemon(t, doc, false)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	waitFor(t, func() bool { return len(collected(name)) == 20000 })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s := d.Pipelines()[0].Status()
	balanced(t, s)
	for _, o := range s.Outputs {
		if o.ID == "stuck" && o.PendingRecords != 20000 {
			t.Errorf("%d records pending at the stuck output, want 20000", o.PendingRecords)
		}
	}
}

func TestRejectedAndDroppedRecordsAreAccountedFor(t *testing.T) {
	name, dir := t.Name(), t.TempDir()
	doc := document(t, dir, fmt.Sprintf(`  p:
    inputs: [{count: {lines: 100}}]
    processors: [{misbehave: {reject: "-1", drop: "-2"}}]
    encode: {codec: raw}
    outputs: [{collect: {name: %s}}]
    dead_letters: {collect: {name: %s-dead}}
`, name, name))
	d := daemon(t, doc, true)
	if err := d.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := d.Pipelines()[0].Status()
	balanced(t, s)
	dead := collected(name + "-dead")
	if len(collected(name)) != 78 || len(dead) != 11 || s.Account.Filtered != 11 {
		t.Fatalf("%d delivered, %d dead letters, %d filtered; want 78, 11, 11", len(collected(name)), len(dead), s.Account.Filtered)
	}
	for _, part := range []string{`"source":"count/numbers"`, `"offset":1`, `"cause":"no good"`, `"value":"line-1"`, `"pipeline":"p"`} {
		if !strings.Contains(dead[0], part) {
			t.Errorf("dead letter %s lacks %s", dead[0], part)
		}
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for 20 s")
		}
	}
}
