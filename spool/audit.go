package spool

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"

	"github.com/spillway/spillway/record"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs"
)

// AuditReport says what became of every record of a pipeline, from its spool's
// files alone. What is pending is counted in the frames themselves.
type AuditReport struct {
	Account Account
	Sources []record.Position
	Outputs []OutputStatus
	// BadBytes could not be read.
	BadBytes int64
}

// Balance checks both laws of conservation.
func (a *AuditReport) Balance() error {
	errs := []error{a.Account.Balance()}
	for i := range a.Outputs {
		errs = append(errs, a.Outputs[i].Balance())
	}
	return errors.Join(errs...)
}

// frameAt is where a data frame stands.
type frameAt struct {
	base, end int64
	lane      int16
}

// Audit reads the whole spool in dir. Beside a running process the figures are
// those of slightly different moments, and need not balance.
func Audit(fs vfs.FS, dir string) (*AuditReport, error) {
	// Before the frames, so that what is acknowledged meanwhile counts as pending
	// and not twice.
	cursors, err := readCursors(fs, filepath.Join(dir, "outputs"))
	if err != nil {
		return nil, err
	}
	report := &AuditReport{}
	var frames []frameAt
	var oldest *segment // as far as its opening tells
	st, err := walk(fs, dir, func(e Entry) error {
		if e.Bad != nil {
			report.BadBytes += e.Size
			return nil
		}
		if oldest == nil {
			oldest = &segment{base: e.Offset, lanes: lanesIn(e.Batch)}
		}
		if !e.Mark {
			h, err := recordbatch.ParseHeader(e.Batch)
			if err != nil {
				return err
			}
			frames = append(frames, frameAt{h.BaseOffset, h.NextOffset(), h.ProducerEpoch})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	report.Account = st.account
	for _, p := range st.sources {
		report.Sources = append(report.Sources, *p)
	}
	slices.SortFunc(report.Sources, func(a, b record.Position) int { return cmp.Compare(a.Source, b.Source) })
	for id, known := range st.outputs {
		c := cursors[id]
		if c == nil {
			c = &Cursor{out: known}
		}
		o := OutputStatus{
			ID: id, Frontier: c.out.acked, Routed: st.routed(known),
			Acked: c.out.count.Acked, DeadLettered: c.out.count.DeadLettered, Dropped: c.out.count.Dropped,
		}
		if oldest != nil && c.out.acked < oldest.base {
			// Removed from the configuration, the output no longer held it.
			routed, _ := known.routedAt(oldest.base, oldest.lanes)
			o.Dropped += c.unaccounted(oldest.base, routed)
		}
		for _, f := range frames {
			if f.end > c.out.acked && known.laneAt(f.base) == f.lane && !c.acknowledged(f.base) {
				o.PendingRecords += f.end - f.base
			}
		}
		report.Outputs = append(report.Outputs, o)
	}
	slices.SortFunc(report.Outputs, func(a, b OutputStatus) int { return cmp.Compare(a.ID, b.ID) })
	return report, nil
}

// acknowledged says whether the record at an offset behind the frontier is done.
func (c *Cursor) acknowledged(offset int64) bool {
	return slices.ContainsFunc(c.pending, func(g *given) bool { return g.acked() && g.base <= offset && offset < g.end })
}
