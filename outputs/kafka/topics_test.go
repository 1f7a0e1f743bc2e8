package kafka

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/spillway/spillway/outputs/outputstest"
	"github.com/spillway/spillway/spool/recordbatch"
)

// TestAnElectionThatTakesItsTimeIsFollowed: the last frame waits for a leader, and none
// comes after it. The cluster is asked until it has one, also while nothing is to be sent.
func TestAnElectionThatTakesItsTimeIsFollowed(t *testing.T) {
	for _, mode := range []string{"idempotent", "transactional"} {
		t.Run(mode, func(t *testing.T) {
			f := newFake(t, 1)
			cfg := settings(f.addr)
			if mode == "transactional" {
				cfg = transactional(f.addr)
			}
			var asked, begin atomic.Int32
			f.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
				f.KeepControl()
				asked.Add(1)
				return nil, nil, false
			})
			f.answers(func(r kmsg.Request) kmsg.Response {
				begin.CompareAndSwap(0, asked.Load())
				if asked.Load()-begin.Load() < 2 {
					return refuse(r, kerr.NotLeaderForPartition)
				}
				return nil
			})
			log := outputstest.NewLog(t, recordbatch.Snappy)
			log.Append("the last")
			start(t, cfg, log)
			acked(t, log)
			if got := f.values(t); !slices.Equal(got, []string{"the last"}) {
				t.Errorf("%q", got)
			}
		})
	}
}
