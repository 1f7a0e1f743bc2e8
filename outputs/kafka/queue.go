package kafka

import (
	"sync"
	"time"
)

// queue holds the pieces that a partition was given and has not finished, in the order
// of the spool. Run's goroutine fills it, the partition's empties it.
type queue struct {
	mu     sync.Mutex
	pieces []*piece
	// current is the piece that is being sent, and since is when that began.
	current *piece
	since   time.Time
	closed  bool
	// ready has a token if something has changed.
	ready chan struct{}
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) push(p *piece) {
	q.mu.Lock()
	q.pieces = append(q.pieces, p)
	q.mu.Unlock()
	q.changed()
}

// close lets pop end once the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.changed()
}

func (q *queue) changed() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// pop waits for the next piece, which is the current one until done. It is nil once the
// queue is closed and empty.
func (q *queue) pop() *piece {
	for {
		q.mu.Lock()
		if len(q.pieces) > 0 {
			q.current, q.since = q.pieces[0], time.Now()
			q.pieces = append(q.pieces[:0], q.pieces[1:]...)
		}
		current, closed := q.current, q.closed
		q.mu.Unlock()
		if current != nil || closed {
			return current
		}
		<-q.ready
	}
}

func (q *queue) done() {
	q.mu.Lock()
	q.current = nil
	q.mu.Unlock()
}

// waiting is how many pieces there are, and for how long the current one has been sent.
func (q *queue) waiting() (n int, since time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n = len(q.pieces)
	if q.current != nil {
		n, since = n+1, time.Since(q.since)
	}
	return n, since
}

// idle says that there is nothing to do.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.current == nil && len(q.pieces) == 0
}

// takeBack takes out the pieces of which nothing was sent, and returns them and the jobs
// of the others.
func (q *queue) takeBack() (untouched []*piece, others []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current != nil {
		others = append(others, q.current.job)
	}
	var kept []*piece
	for _, p := range q.pieces {
		if p.untouched() {
			untouched = append(untouched, p)
		} else {
			kept, others = append(kept, p), append(others, p.job)
		}
	}
	q.pieces = kept
	return untouched, others
}
