package outputs

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// A first wait is at most minBackoff, each further one at most twice as
	// long, up to maxBackoff.
	minBackoff = 100 * time.Millisecond
	maxBackoff = 5 * time.Second
	// sayEvery is how often an outage, or records being refused, is worth a line.
	sayEvery = 10 * time.Second
)

// Retry is an output's patience: it waits after a failed attempt with
// exponential backoff and full jitter, counts the failure, and says so now and
// then. It belongs to one goroutine.
type Retry struct {
	log      *slog.Logger
	meter    *Meter
	failures int       // since the last success
	since    time.Time // of the first of them
	told     bool      // that there is an outage
	say      sayer
}

// NewRetry returns the patience of one output.
func NewRetry(env Env, m *Meter) *Retry { return &Retry{log: env.Log, meter: m} }

// Wait counts a failed attempt and waits until the next one is due. Its error is
// that of ctx.
func (r *Retry) Wait(ctx context.Context, err error) error {
	r.meter.errors.WithLabelValues(reason(err)).Inc()
	now := time.Now()
	if r.failures == 0 {
		r.since = now
	}
	r.failures++
	delay := r.delay(err)
	if r.say.due(now) {
		r.told = true
		r.log.Warn("delivery failed, will be tried again", "error", err, "failures", r.failures,
			"for", now.Sub(r.since).Round(time.Millisecond))
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		r.meter.retries.Inc()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Retry) delay(err error) time.Duration {
	ceiling := maxBackoff
	if doublings := r.failures - 1; doublings < 6 {
		ceiling = min(minBackoff<<doublings, maxBackoff)
	}
	delay := rand.N(ceiling + 1)
	var asked *retryAfterError
	if errors.As(err, &asked) {
		delay = max(delay, asked.after)
	}
	return delay
}

// Succeeded ends an outage, if there was one.
func (r *Retry) Succeeded() {
	if r.failures == 0 {
		return
	}
	if r.told {
		r.log.Info("delivering again", "failures", r.failures, "for", time.Since(r.since).Round(time.Millisecond))
	}
	r.failures, r.told = 0, false
}

// sayer holds a message to one in sayEvery.
type sayer struct{ last time.Time }

func (s *sayer) due(now time.Time) bool {
	if !s.last.IsZero() && now.Sub(s.last) < sayEvery {
		return false
	}
	s.last = now
	return true
}
