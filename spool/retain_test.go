package spool

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spillway/spillway/spool/vfs"
)

func TestARestartDoesNotAgeTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.Memory()
		o := Options{SegmentBytes: 1 << 10, MaxAge: time.Hour, Outputs: []Output{{ID: "o", Lane: "l"}}}
		s := open(t, fs, o)
		var want []string
		for n := range int64(40) {
			want = append(want, strings.Repeat("x", int(n)+1))
			put(t, s, "l", n+1, want[n])
		}
		shut(t, s)
		time.Sleep(30 * time.Minute)
		s = open(t, fs, o)
		time.Sleep(2 * time.Second)
		if age := outputStatus(t, s, "o").OldestUnsent; age < 30*time.Minute || age > 31*time.Minute {
			t.Errorf("the oldest record has waited half an hour, not %v", age)
		}
		if got := take(t, cursor(t, s, "o")); !slices.Equal(got, want) {
			t.Errorf("%d of %d records are left", len(got), len(want))
		}
		if st := outputStatus(t, s, "o"); st.Dropped != 0 {
			t.Errorf("%d were dropped", st.Dropped)
		}
		shut(t, s)
		balanced(t, fs)
	})
}
