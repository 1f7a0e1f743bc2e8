package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool/vfs/faultfs"
)

func deadLetters() Options {
	return Options{
		Outputs: []Output{{ID: "o", Lane: "l", StartOldest: true}, {ID: "dead", Lane: "d", StartOldest: true}}, TailBytes: 1, DeadLane: "d",
		DeadLetter: func(r Refused) ([]byte, error) { return []byte(r.Cause.Error()), nil },
	}
}

func TestADeadLetterIsDurableBeforeItsCursorMoves(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			fs := faultfs.New()
			o := deadLetters()
			s := open(t, fs, o)
			put(t, s, "l", 1, "a")
			time.Sleep(2 * time.Second)
			c := cursor(t, s, "o")
			f := nextFrames(t, c, 1)[0]
			if err := errors.Join(c.Reject(f, 0, errors.New("no")), c.Ack(f)); err != nil {
				t.Fatal(err)
			}
			c.catchUp() // the journal is durable at once
			after := fs.PowerCut(rand.New(rand.NewPCG(seed, 1)))
			shut(t, s)
			o.BootID = "next"
			s = open(t, after, o)
			if got := take(t, cursor(t, s, "o")); len(got) > 0 {
				t.Errorf("seed %d: %q came again", seed, got)
			}
			wantValues(t, take(t, cursor(t, s, "dead")), "no")
			shut(t, s)
			balanced(t, after)
		})
	}
}

func TestADeadLetterComesOnceAlsoIfTheJournalIsOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := deadLetters()
		o.SegmentBytes = 1 << 10
		s := open(t, fs, o)
		put(t, s, "l", 1, "a")
		c := cursor(t, s, "o")
		f := nextFrames(t, c, 1)[0]
		if err := c.Reject(f, 0, errors.New("no")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		older := journalFile(t, contents(t, fs))
		if err := c.Ack(f); err != nil {
			t.Fatal(err)
		}
		for i := range 20 { // new segments begin, and say which dead letters there are
			put(t, s, "l", int64(i+2), strings.Repeat("x", 100))
		}
		killed(s)
		replaceFile(t, fs, older[0], []byte(older[1]))
		s = open(t, fs, o)
		c = cursor(t, s, "o")
		f = nextFrames(t, c, 1)[0]
		wantValues(t, values(t, f), "a")
		if err := errors.Join(c.Reject(f, 0, errors.New("no")), c.Ack(f)); err != nil {
			t.Fatal(err)
		}
		wantValues(t, take(t, cursor(t, s, "dead")), "no")
		shut(t, s)
	})
}

// journalFile is the name and content of the journal of output o.
func journalFile(t *testing.T, files map[string]string) [2]string {
	t.Helper()
	for name, data := range files {
		if strings.HasPrefix(name, "outputs/o.") {
			return [2]string{name, data}
		}
	}
	t.Fatal("no journal")
	return [2]string{}
}

func TestOffsetsGoOnBehindTheNextBoundaryAfterACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		put(t, s, "l", 1, "a")
		time.Sleep(2 * time.Second)
		synced := contents(t, fs)[segmentName(0, 0)]
		put(t, s, "l", 2, "b", "c")
		wantValues(t, take(t, cursor(t, s, "o")), "a", "b", "c")
		killed(s)
		for n := int64(1); n <= 2; n++ {
			if n == 1 {
				replaceFile(t, fs, segmentName(0, 0), []byte(synced))
			}
			o.BootID = fmt.Sprint("next", n)
			s = open(t, fs, o)
			if s.segments[len(s.segments)-1].base != n<<epochBits {
				t.Fatalf("appends go on in the segment at %d", s.segments[len(s.segments)-1].base)
			}
			put(t, s, "l", 2, "b", "c")
			f := nextFrames(t, cursor(t, s, "o"), 1)[0]
			if f.Base <= n<<epochBits || f.Base > n<<epochBits+2 {
				t.Fatalf("a frame at %d", f.Base)
			}
			if err := cursor(t, s, "o").Ack(f); err != nil {
				t.Fatal(err)
			}
			if st := outputStatus(t, s, "o"); st.Acked != 1+2*n || st.PendingRecords != 0 {
				t.Errorf("status %+v", st)
			}
			killed(s)
			balanced(t, fs)
		}
	})
}

func TestWithoutSyncsAnOrderlyEndIsDurableAndACutLosesNoMoreThanItTook(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			fs := faultfs.New()
			o := Options{SegmentBytes: 1 << 10, Sync: Sync{Mode: SyncNever}, TailBytes: 1, Outputs: []Output{{ID: "o", Lane: "l", StartOldest: true}, {ID: "idle", Lane: "l", StartOldest: true}}}
			s := open(t, fs, o)
			n := int64(0)
			more := func(count int) {
				for range count {
					n++
					put(t, s, "l", n, fmt.Sprintf("%03d %s", n, strings.Repeat("x", 60)))
				}
			}
			all := func() (all []string) {
				for i := range n {
					all = append(all, fmt.Sprintf("%03d %s", i+1, strings.Repeat("x", 60)))
				}
				return all
			}
			more(30)
			shut(t, s)
			fs = fs.PowerCut(dice)
			o.BootID = "2"
			s = open(t, fs, o)
			if ps := s.Resume("in/"); len(ps) != 1 || ps[0].Offset != 30 {
				t.Fatalf("seed %d: after an orderly end positions are %v", seed, ps)
			}
			more(30)
			next := fs.PowerCut(dice)
			killed(s)
			fs, o.BootID = next, "3"
			s = open(t, fs, o)
			n = 0
			for _, p := range s.Resume("in/") {
				n = p.Offset
			}
			if n < 30 {
				t.Fatalf("seed %d: the position is %d: what was durable is gone", seed, n)
			}
			killed(s)
			fs, o.BootID = fs.PowerCut(dice), "4" // nothing more happened: nothing more is lost
			s = open(t, fs, o)
			ps := s.Resume("in/")
			if len(ps) != 1 || ps[0].Offset != n {
				t.Fatalf("seed %d: a second cut took positions %v, want %d", seed, ps, n)
			}
			want := all()
			if got := take(t, cursor(t, s, "o")); !slices.Equal(got, want) {
				t.Fatalf("seed %d: %d of %d records came", seed, len(got), len(want))
			}
			shut(t, s)
			balanced(t, fs)
		})
	}
}

func TestASegmentGoesOnlyWhenTheNextOpeningIsDurable(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			fs := faultfs.New()
			o := Options{SegmentBytes: 1 << 10, Sync: Sync{Mode: SyncNever}, Outputs: []Output{{ID: "o", Lane: "l"}}}
			s := open(t, fs, o)
			for n := range int64(40) {
				put(t, s, "l", n+1, strings.Repeat("x", 60))
				take(t, cursor(t, s, "o"))
			}
			if s.segments[0].base == 0 {
				t.Fatal("no segment was deleted")
			}
			after := fs.PowerCut(rand.New(rand.NewPCG(seed, 1)))
			shut(t, s)
			o.BootID = "next"
			s = open(t, after, o)
			if ps := s.Resume("in/"); len(ps) != 1 || ps[0].Offset == 0 {
				t.Errorf("seed %d: no position is left", seed)
			}
			shut(t, s)
		})
	}
}

func TestACutGoesBackBehindASegmentThatNeverBegan(t *testing.T) {
	for bad := range 3 {
		fs := faultfs.New()
		o := Options{SegmentBytes: 1 << 10, Sync: Sync{Mode: SyncNever}, Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		for n := range int64(60) {
			put(t, s, "l", n+1, strings.Repeat("x", 60))
		}
		segs := s.segments
		killed(s)
		if len(segs) < 4 {
			t.Fatalf("%d segments", len(segs))
		}
		fs.FlipBit(segs[bad].name, 7, 1)
		o.BootID = "next"
		s = open(t, fs, o)
		ps := s.Resume("in/")
		if bad == 0 && len(ps) != 0 || bad > 0 && (len(ps) != 1 || ps[0].Offset == 0 || ps[0].Offset == 60) {
			t.Errorf("segment %d: positions %v", bad, ps)
		}
		if bad > 0 {
			if got := take(t, cursor(t, s, "o")); int64(len(got)) != ps[0].Offset {
				t.Errorf("segment %d: %d came, the position is %d", bad, len(got), ps[0].Offset)
			}
		}
		put(t, s, "l", 99, "after")
		wantValues(t, take(t, cursor(t, s, "o")), "after")
		shut(t, s)
		balanced(t, fs)
	}
}

func TestSyncsThatAreTurnedOnReachWhatWasWrittenWithout(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			fs := faultfs.New()
			o := Options{SegmentBytes: 1 << 10, Sync: Sync{Mode: SyncNever}, Outputs: []Output{{ID: "o", Lane: "l"}}}
			s := open(t, fs, o)
			for n := range int64(60) {
				put(t, s, "l", n+1, strings.Repeat("x", 60))
			}
			killed(s)
			o.Sync = Sync{Mode: SyncInterval}
			s = open(t, fs, o)
			time.Sleep(2 * time.Second)
			after := fs.PowerCut(rand.New(rand.NewPCG(seed, 1)))
			shut(t, s)
			o.BootID = "next"
			s = open(t, after, o)
			if got := take(t, cursor(t, s, "o")); len(got) != 60 {
				t.Errorf("seed %d: %d of 60 records came", seed, len(got))
			}
			shut(t, s)
		})
	}
}
