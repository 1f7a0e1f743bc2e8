package demo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spillway/spillway/pipeline"
	"github.com/spillway/spillway/spool"
)

// at is a status of an open spool that has taken so many records, none delivered.
func at(records int64) pipeline.Status {
	return pipeline.Status{Status: spool.Status{
		MaxBytes: 1, Account: spool.Account{Read: records, Appended: records},
		Outputs: []spool.OutputStatus{{ID: "file", Routed: records, PendingRecords: records}},
	}}
}

func TestSpeedsBeginWithTheFirstLook(t *testing.T) {
	v := &view{last: map[string]sample{}}
	var b strings.Builder
	now := time.Unix(0, 0)
	for i, want := range []string{"0 0 0 0", "0 0 0 5000", "100 100 0 5200"} {
		b.Reset()
		s := at([]int64{0, 5000, 5200}[i])
		if i == 0 {
			s.MaxBytes = 0 // not open yet
		}
		v.lines(&b, "web", s, now)
		now = now.Add(2 * time.Second)
		got := strings.Join(strings.Fields(b.String())[1:5], " ")
		if got != want {
			t.Errorf("look %d: got %q, want %q", i, got, want)
		}
		if !strings.Contains(b.String(), "conservation holds") {
			t.Errorf("look %d: %q does not say that the law holds", i, b.String())
		}
	}
}

func TestADrawingTakesThePlaceOfTheOneBefore(t *testing.T) {
	var b strings.Builder
	v := &view{out: &b, width: func() int { return 10 }}
	v.print("0123456789abc\nx\n")
	v.print("y\n")
	if got, want := b.String(), "012345678\nx\n\r\x1b[2A\x1b[Jy\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.Reset()
	v.width = func() int { return 0 }
	v.print("0123456789abc\n")
	if got, want := b.String(), "0123456789abc\n"; got != want {
		t.Errorf("no terminal: got %q, want %q", got, want)
	}
}

func TestTheVerdictNamesWhatIsWrong(t *testing.T) {
	failed, stuck, good := at(1), at(1), at(1)
	failed.Err = errors.New("no such parser")
	stuck.Trouble.Reason = "disk full"
	for want, got := range map[string]string{
		"failed: no such parser": verdict(&failed, nil),
		"waits: disk full":       verdict(&stuck, nil),
		"NOT conserved: a; b":    verdict(&good, errors.Join(errors.New("a"), errors.New("b"))),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
