package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spillway/spillway/spool/vfs"
)

var (
	// ErrClosed says that the spool has been closed.
	ErrClosed = errors.New("spool: closed")
	// ErrNewer says that the spool was written by a later version in a format
	// that this one cannot read. It is not damaged, and nothing was changed.
	ErrNewer = errors.New("spool: written by a newer version")

	errNotOut = errors.New("spool: the frame is not out")
)

// SyncMode says when written frames are made safe against a power cut.
type SyncMode uint8

// The modes.
const (
	SyncInterval SyncMode = iota // each Every, or each unsyncedMax bytes
	SyncAlways                   // before anybody is told of an append
	SyncNever                    // when the system pleases
)

// Sync is a sync setting.
type Sync struct {
	Mode  SyncMode
	Every time.Duration
}

// ParseSync reads always, never, or an interval such as 1s.
func ParseSync(s string) (Sync, error) {
	switch s {
	case "always":
		return Sync{Mode: SyncAlways}, nil
	case "never":
		return Sync{Mode: SyncNever}, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return Sync{}, fmt.Errorf("%q is no sync setting: want always, never, or an interval such as 1s", s)
	}
	return Sync{Mode: SyncInterval, Every: d}, nil
}

// Output is one reader of the spool.
type Output struct {
	// ID names the output's cursor for good.
	ID string
	// Lane is the fingerprint of the encoding that the output wants.
	Lane string
	// DropOldest makes the output lose its oldest records rather than keep a
	// full spool waiting.
	DropOldest bool
	// StartOldest makes an output that the spool has never seen begin with the
	// oldest record instead of the next one.
	StartOldest bool
}

// Refused is a record that an output's peer has refused for good.
type Refused struct {
	Frame *Frame
	// Index is the record's place in the frame.
	Index int32
	// Value is the encoded record, unless the frame is unreadable there. It is valid
	// until the call returns.
	Value         []byte
	Unreadable    bool
	Output        string
	Cause         error
	Attempts      int
	FirstFailedAt time.Time
}

// Options say how a spool is to work. Zero values mean the defaults.
type Options struct {
	// SegmentBytes is the size at which a new segment begins.
	SegmentBytes int64
	// MaxBytes bounds the segments together.
	MaxBytes int64
	// MaxAge is the age at which segments are dropped unread; 0 keeps them.
	MaxAge time.Duration
	Sync   Sync
	// Outputs are all that read. Cursors of others no longer hold anything.
	Outputs []Output
	// DeadLane is the fingerprint of the lane for dead letters; empty if there
	// is no output for it.
	DeadLane string
	// ForgetAfter is how long the position of a source that is no longer seen
	// is kept.
	ForgetAfter time.Duration
	// BootID tells this boot of the machine from others. Empty counts as new.
	BootID string
	// TailBytes bounds the frames kept in memory for senders that keep up.
	TailBytes int64
	// Checkpoints is nil for a spool on disk. For one in memory it keeps the
	// positions of which every record has been acknowledged.
	Checkpoints vfs.FS
	// AtTail, if set, is called when a cursor is about to wait for frames. It
	// must not block.
	AtTail func(output string)
	// Panicked, if set, is told of a panic in one of the spool's own goroutines: what
	// recover has returned, on the stack of the panic. The spool has stopped then.
	// It must not block.
	Panicked func(any)
	// DeadLetter encodes the record that an output refused.
	DeadLetter func(Refused) ([]byte, error)
	Log        *slog.Logger
}

const (
	defaultSegmentBytes = 64 << 20
	defaultMaxBytes     = 4 << 30
	defaultTailBytes    = 4 << 20
	defaultForgetAfter  = 7 * 24 * time.Hour

	// unsyncedMax is how much may wait for a sync; it is kept in memory.
	unsyncedMax = 16 << 20
	// ballastBytes is given up on a full disk, so that journals can still be
	// written.
	ballastBytes = 1 << 20
	// reserveBytes is by how much dead letters may exceed MaxBytes.
	reserveBytes = 8 << 20
	// openingRatio is how many times its opening mark a segment holds at least.
	openingRatio = 16
	// epochBits: after a cut at boot offsets go on at the next multiple of 2^40.
	epochBits = 40
)

func (o Options) withDefaults() Options {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = defaultSegmentBytes
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.TailBytes == 0 {
		o.TailBytes = defaultTailBytes
	}
	if o.ForgetAfter == 0 {
		o.ForgetAfter = defaultForgetAfter
	}
	if o.Sync.Mode == SyncInterval && o.Sync.Every == 0 {
		o.Sync.Every = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
