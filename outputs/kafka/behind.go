package kafka

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"time"
)

// Where records are sent by their key, a frame is done when the last of its partitions
// has its piece. A partition that does not get on, without a leader say, is therefore
// left behind: what it is owed is noted with the frames, which go back to the spool, and
// the others go on. Once it gets on again the frames are recalled, oldest first.

const (
	// patience is how long a partition may take for a batch while others wait for it.
	patience = time.Second
	// recalls is how many frames are recalled ahead of what a partition sends.
	recalls = 8
	// catchUpPause is how long new frames are waited for while there are old ones to
	// recall, stuckPause while there are none that could be sent.
	catchUpPause = 2 * time.Millisecond
	stuckPause   = 50 * time.Millisecond
)

// owed is a piece of a job that its partition gets later.
type owed struct {
	route     int
	partition int32
}

// untouched says that a piece was never about to be sent, in any life, so that it can be
// made again from the frame alone.
func (p *piece) untouched() bool {
	p.job.mu.Lock()
	defer p.job.mu.Unlock()
	return p.job.routes[p.route].partitions > 0 && len(p.batches) == 1 && p.batches[0].since == 0 && p.batches[0].state == unsent
}

// stuck says that a partition does not get on.
func (p *partition) stuck() bool {
	_, since := p.queue.waiting()
	return p.failing.Load() || p.leaderless.Load() || since > patience
}

// all are the partitions that were sent to.
func (s *sender) all(yield func(*partition) bool) {
	for _, t := range s.topics.byName {
		for _, p := range t.partitions {
			if !yield(p) {
				return
			}
		}
	}
}

// stalled says that no partition gets on: then there is nobody to go on for.
func (s *sender) stalled() bool {
	for p := range s.all {
		if !p.stuck() {
			return false
		}
	}
	return true
}

// leaveBehind gives up waiting for the partitions that do not get on.
func (s *sender) leaveBehind() error {
	if s.stalled() {
		return nil
	}
	for p := range s.all {
		if !p.stuck() {
			continue
		}
		untouched, others := p.queue.takeBack()
		for _, j := range others {
			s.freeSlot(j)
		}
		if len(untouched) == 0 {
			continue
		}
		if !p.behind {
			p.behind = true
			s.behind++
			p.log.Warn("partition does not get on and is left behind; what it is owed waits in the spool")
		}
		for _, pc := range untouched {
			if err := s.owe(pc); err != nil {
				return err
			}
		}
	}
	return nil
}

// owe takes a piece out of its job, to be sent later.
func (s *sender) owe(pc *piece) error {
	j := pc.job
	if len(j.owed) == 0 {
		s.owing = append(s.owing, j)
	}
	j.mu.Lock()
	j.owed = append(j.owed, owed{pc.route, pc.partition})
	j.pieces = slices.DeleteFunc(j.pieces, func(p *piece) bool { return p == pc })
	j.left--
	last := j.left == 0
	j.mu.Unlock()
	if last {
		return s.finish(j)
	}
	return nil
}

// shun takes those pieces out of a job that is not yet given that are for partitions
// left behind. A new one is owed to each of those, whatever is in it: so the notes of frames
// in a row are the same.
func (s *sender) shun(j *job, isNew bool) {
	if s.behind == 0 {
		return
	}
	j.pieces = slices.DeleteFunc(j.pieces, func(p *piece) bool {
		shunned := s.home(p).behind && p.untouched()
		if shunned && !isNew {
			j.owed = append(j.owed, owed{p.route, p.partition})
		}
		return shunned
	})
	j.left = len(j.pieces)
	if isNew {
		for p := range s.all {
			if p.behind {
				j.owed = append(j.owed, owed{j.routeOf(p.topic, int32(len(s.topics.byName[p.topic].partitions))), p.number})
			}
		}
	}
	if len(j.owed) > 0 {
		s.owing = append(s.owing, j)
	}
}

// routeOf is the job's route to a topic, which is made if there is none: then nothing of
// the job goes there.
func (j *job) routeOf(topic string, partitions int32) int {
	i := slices.IndexFunc(j.routes, func(r route) bool { return r.topic == topic })
	if i < 0 {
		i = len(j.routes)
		j.routes = append(j.routes, route{topic: topic, partitions: partitions, sticky: elsewhere})
	}
	return i
}

// elsewhere is the sticky partition of a job whose records without key are not owed.
const elsewhere = -1

// owedNote is the note of a job of which nothing is left but what it owes: the same for
// all that owe the same, so that frames in a row cost the journal nothing.
func (s *sender) owedNote(j *job) []byte {
	all := slices.SortedFunc(slices.Values(j.owed), func(a, b owed) int {
		return cmp.Or(cmp.Compare(j.routes[a.route].topic, j.routes[b.route].topic), cmp.Compare(a.partition, b.partition))
	})
	rest := &job{}
	for _, o := range all {
		r := j.routes[o.route]
		if r.sticky != o.partition {
			r.sticky = elsewhere
		}
		at := rest.routeOf(r.topic, r.partitions)
		if r.sticky != elsewhere {
			rest.routes[at].sticky = r.sticky
		}
		rest.owed = append(rest.owed, owed{at, o.partition})
	}
	return appendNote(nil, s.binding, rest)
}

// collect makes pieces of what a job owes to partitions that are wanted.
func (j *job) collect(wanted func(owed) bool) (pieces []*piece) {
	j.owed = slices.DeleteFunc(j.owed, func(o owed) bool {
		if !wanted(o) {
			return false
		}
		pieces = append(pieces, &piece{job: j, route: o.route, partition: o.partition, batches: []batch{{end: j.frame.Count}}})
		return true
	})
	j.pieces = append(j.pieces, pieces...)
	j.left += len(pieces)
	return pieces
}

// catchUp gives partitions that were left behind, and get on again, what they are owed.
// It says whether there are any.
func (s *sender) catchUp() (some bool, err error) {
	// Jobs that have gone back to the spool are found there.
	s.owing = slices.DeleteFunc(s.owing, func(j *job) bool { return j.deferred.Load() || len(j.owed) == 0 })
	for {
		var ready map[*partition]bool
		if ready, some = s.ready(); len(ready) == 0 {
			return some, nil
		}
		wanted := func(j *job) func(owed) bool {
			return func(o owed) bool { return ready[s.homeOf(j, o.route, o.partition)] }
		}
		first, before := s.firstOwing(wanted)
		j, err := s.recall(before, wanted)
		switch {
		case err != nil:
			return some, err
		case j == nil && first == nil:
			s.caughtUp(ready)
			return some, nil
		case j == nil:
			j = first
		}
		var pieces []*piece
		j.mu.Lock()
		if j != first || j.left > 0 {
			pieces = j.collect(wanted(j))
		}
		j.mu.Unlock()
		if len(pieces) == 0 { // it is on its way to the spool
			return some, nil
		}
		for _, p := range pieces {
			s.hand(p)
		}
	}
}

// ready are the partitions left behind that get on and do not have much to do; some says
// that there are such that get on.
func (s *sender) ready() (ready map[*partition]bool, some bool) {
	ready = map[*partition]bool{}
	for p := range s.all {
		if !p.behind || p.stuck() {
			continue
		}
		some = true
		if n, _ := p.queue.waiting(); n < recalls {
			ready[p] = true
		}
	}
	return ready, some
}

// firstOwing is the first job in memory, since other partitions are at it, that owes what
// is wanted, and its offset: what is recalled comes before it.
func (s *sender) firstOwing(wanted func(*job) func(owed) bool) (first *job, offset int64) {
	offset = math.MaxInt64
	for _, j := range s.owing {
		if j.base < offset && slices.ContainsFunc(j.owed, wanted(j)) {
			first, offset = j, j.base
		}
	}
	return first, offset
}

// recall makes a job of the first frame before an offset that owes what is wanted; nil if
// there is none.
func (s *sender) recall(before int64, wanted func(*job) func(owed) bool) (*job, error) {
	var said []byte
	var is bool
	f, note, err := s.in.Recall(before, func(note []byte) bool {
		if !bytes.Equal(note, said) {
			j := &job{}
			said, is = note, readNote(note, s.binding, j) == nil && slices.ContainsFunc(j.owed, wanted(j))
		}
		return is
	})
	if f == nil || err != nil {
		return nil, err
	}
	j := &job{frame: f, base: f.Base}
	if err := readNote(note, s.binding, j); err != nil {
		return nil, err
	}
	s.owing = append(s.owing, j)
	return j, nil
}

// caughtUp says that partitions get what is theirs at once again.
func (s *sender) caughtUp(partitions map[*partition]bool) {
	for p := range partitions {
		p.behind = false
		s.behind--
		p.log.Info("partition has caught up")
	}
	if s.behind == 0 {
		s.owing = nil
	}
}

// hand gives a piece to its partition.
func (s *sender) hand(p *piece) {
	to := s.home(p)
	if to.number != p.partition {
		p.move(to)
	}
	to.queue.push(p)
}
