// Package metric registers the metrics of a component.
package metric

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Set is what one component registers. It belongs to one goroutine.
type Set struct {
	to  prometheus.Registerer
	own []prometheus.Collector
	err error
}

// NewSet returns an empty set for a registerer; with none, metrics only count.
func NewSet(to prometheus.Registerer) *Set { return &Set{to: to} }

// Add registers c, or finds the one that an earlier run has left: it goes on counting.
// A metric that cannot be registered counts all the same; see [Set.Err].
func Add[C prometheus.Collector](s *Set, c C) C {
	if s.to == nil {
		return c
	}
	err := s.to.Register(c)
	var taken prometheus.AlreadyRegisteredError
	if errors.As(err, &taken) {
		if earlier, ok := taken.ExistingCollector.(C); ok {
			return earlier
		}
	}
	if err == nil {
		s.own = append(s.own, c)
	}
	s.err = errors.Join(s.err, err)
	return c
}

// Err is why metrics could not be registered; nil if all were.
func (s *Set) Err() error { return s.err }

// Close takes out of the registry what this set has put there.
func (s *Set) Close() {
	for _, c := range s.own {
		s.to.Unregister(c)
	}
	s.own = nil
}
