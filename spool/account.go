package spool

import (
	"fmt"

	"github.com/spillway/spillway/record"
)

// Account counts what became of a pipeline's records. It rides in the marks, so
// it is exact across a crash.
type Account struct {
	// Read counts records that came from inputs, Generated those that
	// processors made, and Recovered those that came back into the spool:
	// dead letters of outputs.
	Read, Generated, Recovered int64
	// Appended counts records put into the spool, once whatever the number of
	// lanes; Merged those that became part of another; Filtered those that
	// were meant to go; Dropped the others, by reason.
	Appended, Merged, Filtered int64
	Dropped                    [record.Reasons]int64
}

// Add adds b to a.
func (a *Account) Add(b *Account) {
	a.Read += b.Read
	a.Generated += b.Generated
	a.Recovered += b.Recovered
	a.Appended += b.Appended
	a.Merged += b.Merged
	a.Filtered += b.Filtered
	for i := range a.Dropped {
		a.Dropped[i] += b.Dropped[i]
	}
}

// Balance checks the law of conservation: what came in is appended, merged,
// filtered or dropped.
func (a *Account) Balance() error {
	in := a.Read + a.Generated + a.Recovered
	out := a.Appended + a.Merged + a.Filtered
	for _, n := range a.Dropped {
		out += n
	}
	if in != out {
		return fmt.Errorf("%d records came in (%d read, %d generated, %d recovered), but %d are accounted for (%d appended, %d merged, %d filtered, dropped %v)",
			in, a.Read, a.Generated, a.Recovered, out, a.Appended, a.Merged, a.Filtered, a.Dropped)
	}
	return nil
}
