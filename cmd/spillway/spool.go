package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spillway/spillway/spool"
	"github.com/spillway/spillway/spool/recordbatch"
	"github.com/spillway/spillway/spool/vfs"
)

type spoolCmd struct {
	Ls      spoolLsCmd      `cmd:"" help:"List the segments."`
	Inspect spoolInspectCmd `cmd:"" help:"List the frames and marks."`
	Cat     spoolCatCmd     `cmd:"" help:"Print the records' values, a line each."`
	Verify  spoolVerifyCmd  `cmd:"" help:"Check every frame and mark."`
}

// spoolDir is the spool that a verb looks into.
type spoolDir struct {
	Dir string `arg:"" help:"The spool: data_dir/PIPELINE." type:"existingdir"`
}

func (d spoolDir) walk(visit func(spool.Entry) error) error {
	segs, err := spool.Segments(vfs.OS(), d.Dir)
	if err != nil {
		return err
	}
	if len(segs) == 0 {
		return usage(fmt.Errorf("there is no spool in %s: name the folder data_dir/PIPELINE", d.Dir))
	}
	return explainNewer(spool.Walk(vfs.OS(), d.Dir, visit))
}

// explainNewer says of a spool that this build cannot read why not: nobody should
// take it for a damaged one.
func explainNewer(err error) error {
	var newer *recordbatch.VersionError
	if errors.As(err, &newer) || errors.Is(err, spool.ErrNewer) {
		return fmt.Errorf("%w: the spool is not damaged; look at it with the newer version", err)
	}
	return err
}

// complain tells of bytes that cannot be read, where the records go to.
func complain(e spool.Entry) {
	fmt.Fprintf(os.Stderr, "%s at byte %d: %d bytes: %v\n", e.Segment, e.Position, e.Size, e.Bad)
}

type spoolLsCmd struct{ spoolDir }

func (c *spoolLsCmd) Run() error {
	type sum struct {
		frames, marks, bad int
		records            int64
	}
	sums := map[string]*sum{}
	err := c.walk(func(e spool.Entry) error {
		s := sums[e.Segment]
		if s == nil {
			s = &sum{}
			sums[e.Segment] = s
		}
		switch {
		case e.Bad != nil:
			s.bad++
		case e.Mark:
			s.marks++
		default:
			s.frames++
			s.records += int64(e.Records)
		}
		return nil
	})
	if err != nil {
		return err
	}
	segs, err := spool.Segments(vfs.OS(), c.Dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "segment\tbytes\tframes\trecords\tmarks\tbad\t")
	for _, seg := range segs {
		s := sums[seg.Name]
		if s == nil {
			s = &sum{}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", filepath.Base(seg.Name), seg.Size, s.frames, s.records, s.marks, s.bad)
	}
	return w.Flush()
}

type spoolInspectCmd struct{ spoolDir }

func (c *spoolInspectCmd) Run() error {
	return c.walk(func(e spool.Entry) error {
		place := fmt.Sprintf("%s@%d", filepath.Base(e.Segment), e.Position)
		switch {
		case e.Bad != nil:
			fmt.Printf("%s bad: %d bytes from offset %d: %v\n", place, e.Size, e.Offset, e.Bad)
		case e.Mark:
			fmt.Printf("%s mark at offset %d, %d bytes\n", place, e.Offset, e.Size)
			for _, p := range e.Sources {
				fmt.Printf("    %s read up to %d\n", p.Source, p.Offset)
			}
		default:
			fmt.Printf("%s frame at offset %d: %d records, %d bytes, lane %s\n", place, e.Offset, e.Records, e.Size, e.Lane)
		}
		return nil
	})
}

type spoolCatCmd struct{ spoolDir }

func (c *spoolCatCmd) Run() error {
	var r recordbatch.Reader
	bad := 0
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	err := c.walk(func(e spool.Entry) error {
		switch {
		case e.Bad != nil:
			bad++
			complain(e)
			return nil
		case e.Mark:
			return nil
		}
		if err := r.Reset(e.Batch); err != nil {
			return err
		}
		for r.Next() {
			out.Write(r.Record().Value)
			if err := out.WriteByte('\n'); err != nil {
				return err
			}
		}
		return r.Err()
	})
	if err := errors.Join(err, out.Flush()); err != nil {
		return err
	}
	if bad > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

type spoolVerifyCmd struct{ spoolDir }

func (c *spoolVerifyCmd) Run() error {
	var frames, marks, bad int
	var records int64
	err := c.walk(func(e spool.Entry) error {
		switch {
		case e.Bad != nil:
			bad++
			complain(e)
		case e.Mark:
			marks++
		default:
			frames++
			records += int64(e.Records)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%d frames with %d records and %d marks are good; %d places are bad\n", frames, records, marks, bad)
	if bad > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}
