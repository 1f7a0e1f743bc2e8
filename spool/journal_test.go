package spool

import (
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool/vfs/faultfs"
)

func TestWhatWasAcknowledgedLongAgoSurvivesAPowerCut(t *testing.T) {
	for _, mode := range []SyncMode{SyncInterval, SyncAlways} {
		for seed := range uint64(30) {
			synctest.Test(t, func(t *testing.T) {
				fs := faultfs.New()
				o := Options{Sync: Sync{Mode: mode}, Outputs: []Output{{ID: "o", Lane: "l"}}}
				s := open(t, fs, o)
				put(t, s, "l", 1, "a", "b", "c")
				time.Sleep(time.Second)
				take(t, cursor(t, s, "o"))
				time.Sleep(2 * keepEvery)
				after := fs.PowerCut(rand.New(rand.NewPCG(seed, 1)))
				shut(t, s)
				o.BootID = "next"
				s = open(t, after, o)
				if got := take(t, cursor(t, s, "o")); len(got) > 0 {
					t.Errorf("mode %d, seed %d: %q was delivered again", mode, seed, got)
				}
				if st := outputStatus(t, s, "o"); st.Acked != 3 {
					t.Errorf("mode %d, seed %d: %d are acknowledged", mode, seed, st.Acked)
				}
				shut(t, s)
			})
		}
	}
}

func TestAJournalWhoseSyncFailedIsWrittenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := faultfs.New()
		o := Options{Sync: Sync{Mode: SyncAlways}, Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		put(t, s, "l", 1, "a")
		synctest.Wait()
		c := cursor(t, s, "o")
		f := nextFrames(t, c, 1)[0]
		var syncs, creates atomic.Bool
		syncs.Store(true)
		creates.Store(true)
		fs.Inject(func(op faultfs.Op, name string, _ int) *faultfs.Fault {
			if !strings.HasSuffix(name, ".journal") {
				return nil
			}
			switch {
			case op == faultfs.OpSync && syncs.CompareAndSwap(true, false):
				return &faultfs.Fault{Err: syscall.EIO, Forget: true}
			case op == faultfs.OpCreate && creates.Load():
				return &faultfs.Fault{Err: syscall.EIO}
			}
			return nil
		})
		staged := make(chan error, 1)
		go func() { staged <- c.Stage(f, []byte("note")) }()
		time.Sleep(time.Minute)
		if len(staged) > 0 {
			t.Error("a sync was believed after one that failed on the same file")
		}
		creates.Store(false)
		time.Sleep(time.Minute)
		if err := <-staged; err != nil {
			t.Fatal(err)
		}
		after := fs.PowerCut(rand.New(rand.NewPCG(1, 1)))
		shut(t, s)
		o.BootID = "next"
		s = open(t, after, o)
		inDoubt(t, cursor(t, s, "o"), stagedAs(f, "note"))
		shut(t, s)
	})
}
