package spool

import (
	"math/rand/v2"
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
