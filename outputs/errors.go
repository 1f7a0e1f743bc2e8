package outputs

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

// Permanent marks an error that trying again can't cure: it is about all the
// records that were to be sent. After a few attempts all the same they go to
// the dead letters, since what looks permanent may be a peer's passing mood.
func Permanent(err error) error { return &permanentError{err} }

// RetryAfter marks a passing error whose peer has said how long to leave it
// alone. It holds for d where the backoff would be shorter.
func RetryAfter(err error, d time.Duration) error { return &retryAfterError{err, d} }

// RecordError says that one record was refused: trying again can't cure it, and
// it is about no other record. Several are joined with [errors.Join].
type RecordError struct {
	// Index is that of the record in its frame: [Records.Index].
	Index int32
	Err   error
}

func (e *RecordError) Error() string { return e.Err.Error() }

// Unwrap returns the peer's verdict.
func (e *RecordError) Unwrap() error { return e.Err }

// Refusal is the cause that [Frames.Reject] gets from [Each].
type Refusal struct {
	Err      error
	attempts int
	first    time.Time
}

func (e *Refusal) Error() string { return e.Err.Error() }

// Unwrap returns the error of the last attempt.
func (e *Refusal) Unwrap() error { return e.Err }

// Attempts is how often the record was sent and refused.
func (e *Refusal) Attempts() int { return e.attempts }

// FirstFailedAt is when it was refused for the first time.
func (e *Refusal) FirstFailedAt() time.Time { return e.first }

// Contain turns a panic into an error. It is deferred in every goroutine that an
// output starts: a pipeline can contain only what happens within Run.
func Contain(err *error) {
	if p := recover(); p != nil {
		*err = Panicked(p)
	}
}

// Panicked is the error that stands for what recover has returned. It holds the
// stack of its caller.
func Panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

type retryAfterError struct {
	error
	after time.Duration
}

func (e *retryAfterError) Unwrap() error { return e.error }

// recordErrors takes the errors about single records out of err. What is left
// is the first error about the whole attempt, or nil.
func recordErrors(err error) (records []*RecordError, rest error) {
	if r, ok := err.(*RecordError); ok {
		return []*RecordError{r}, nil
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			found, other := recordErrors(err)
			records = append(records, found...)
			if rest == nil {
				rest = other
			}
		}
		return records, rest
	case interface{ Unwrap() error }:
		if found, other := recordErrors(e.Unwrap()); found != nil {
			return found, other
		}
	}
	return nil, err
}

// reason sorts an error into one of a few classes, for a metric's label.
func reason(err error) string {
	var refused *RecordError
	var permanent *permanentError
	var network net.Error
	switch {
	case errors.As(err, &refused), errors.As(err, &permanent):
		return "refused"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "no_space"
	case errors.Is(err, os.ErrPermission):
		return "permission"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "timeout"
	case network != nil, errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return "connection"
	}
	return "other"
}
