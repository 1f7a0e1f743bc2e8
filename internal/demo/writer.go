package demo

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// tick is how often a writer writes; at each one it writes a burst of lines.
const tick = 50 * time.Millisecond

// writer writes a live log to path and rotates it by renaming.
type writer struct {
	path string
	// perSecond and rotateLines count lines.
	perSecond, rotateLines int
	// keep is how many rotated files stay.
	keep int
	line func(b *bufio.Writer, n int, now time.Time)
}

// run writes until ctx is done. It never deletes a line that is unread: rotated
// files go only when keep newer ones exist, and the demo reads faster than that.
func (w *writer) run(ctx context.Context) error {
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	inFile := 0
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			b := bufio.NewWriter(f)
			for range int(int64(w.perSecond) * int64(tick) / int64(time.Second)) {
				w.line(b, n, now)
				n, inFile = n+1, inFile+1
			}
			if err := b.Flush(); err != nil {
				return err
			}
			if inFile >= w.rotateLines {
				inFile = 0
				if f, err = w.rotate(f); err != nil {
					return err
				}
			}
		}
	}
}

func (w *writer) rotate(f *os.File) (*os.File, error) {
	if err := f.Close(); err != nil {
		return f, err
	}
	for i := w.keep; i > 0; i-- {
		from := w.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", w.path, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", w.path, i)); err != nil && !os.IsNotExist(err) {
			return f, err
		}
	}
	return os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
}

var (
	paths    = []string{"/", "/index.html", "/api/orders", "/api/orders/17", "/static/app.js", "/healthz", "/login"}
	methods  = []string{"GET", "GET", "GET", "POST", "HEAD"}
	statuses = []int{200, 200, 200, 200, 304, 404, 500}
	levels   = []string{"debug", "info", "info", "info", "warn", "error"}
)

func pick[T any](list []T) T { return list[rand.IntN(len(list))] }

// accessLine writes a line as a web server does, in the combined format.
func accessLine(b *bufio.Writer, n int, now time.Time) {
	fmt.Fprintf(b, "203.0.113.%d - - [%s] \"%s %s?n=%d HTTP/1.1\" %d %d \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"\n",
		rand.IntN(256), now.Format("02/Jan/2006:15:04:05 -0700"), pick(methods), pick(paths), n, pick(statuses), rand.IntN(50_000))
}

// appLine writes a line as an application with structured logs does.
func appLine(b *bufio.Writer, n int, now time.Time) {
	fmt.Fprintf(b, "{\"time\":%q,\"level\":%q,\"msg\":\"order handled\",\"n\":%d,\"order\":{\"id\":%d,\"items\":%d},\"took_ms\":%.2f}\n",
		now.Format(time.RFC3339Nano), pick(levels), n, rand.IntN(1_000_000), 1+rand.IntN(9), rand.Float64()*80)
}
