package pipeline

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spillway/spillway/outputs"
	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
)

// picky is a codec that cannot encode one line.
type picky string

func (p picky) Append(dst []byte, r record.Record) ([]byte, error) {
	if string(r.Raw()) == string(p) {
		return dst, errors.New("not this one")
	}
	return append(dst, r.Raw()...), nil
}

func TestARecordThatOneLaneCannotEncodeIsInNoOther(t *testing.T) {
	ch := chain{dead: &deadLetterLane{pipeline: "test"}}
	for i, cannot := range []picky{"line-2", "line-5", "none"} {
		b, err := recordbatch.NewBuilder(recordbatch.None)
		if err != nil {
			t.Fatal(err)
		}
		ch.lanes = append(ch.lanes, newLane(framer{lane: int16(i), builder: b}, cannot, outputs.Shape{}))
	}
	b := record.NewBatch()
	src := b.Source("numbers")
	for i := range 10 {
		b.AddLine(b.Text(fmt.Sprintf("line-%d", i)), src, int64(i), 1)
	}
	j := &job{batch: b}
	if err := (&chains{perWorker: []chain{ch}}).work(0, j); err != nil {
		t.Fatal(err)
	}
	if err := j.result.account.Balance(); err != nil || j.result.account.Appended != 8 || j.result.account.Dropped[record.EncodeFailed] != 2 {
		t.Errorf("account %+v, %v; want 8 appended and 2 dropped", j.result.account, err)
	}
	if len(j.result.frames) != 3 {
		t.Fatalf("%d frames, want one for each lane", len(j.result.frames))
	}
	for _, f := range j.result.frames {
		if f.Count != 8 {
			t.Errorf("%d records in lane %d, want 8", f.Count, f.Lane)
		}
	}
	j.result.release()
	b.Release()
}
