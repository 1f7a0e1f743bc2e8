// Package tcp is the output that writes records to a TCP connection.
//
// The protocol has no answers, so delivery is best effort: a frame counts as
// delivered when the kernel has taken all of it. What the peer had not read when
// it died is gone. A frame during which the connection breaks is sent again
// whole on the next one: records of it that the peer had read are doubled, and
// the last one on the broken connection may be torn.
package tcp

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/spillway/spillway/outputs"
)

func init() {
	outputs.Register("tcp", "Writes records to a TCP connection, best effort.", Default, New)
}

const (
	// chunkBytes is how much is gathered for one write: enough to make system
	// calls rare, and it stays in the processor's cache between the gathering
	// and the kernel's copy.
	chunkBytes = 256 << 10
	// keepBytes bounds the buffer that is kept after a long record.
	keepBytes = 4 << 20
)

// Output writes to one peer.
type Output struct {
	cfg *Config
	env outputs.Env
}

// New builds the output. It does not connect.
func New(c *Config, env outputs.Env) (outputs.Output, error) { return &Output{c, env}, nil }

// Check connects and closes the connection again.
func (o *Output) Check(ctx context.Context) error {
	c, err := dial(ctx, o.cfg)
	if err != nil {
		return err
	}
	c.close()
	return nil
}

// Run implements [outputs.Output].
func (o *Output) Run(ctx context.Context, in outputs.Frames) error {
	s := &sender{cfg: o.cfg, gather: appendLine}
	if o.cfg.Framing == "length" {
		s.gather = appendLength
	}
	defer s.drop()
	return outputs.Each(o.env, s.send).Run(ctx, in)
}

// sender is the state of one Run.
type sender struct {
	cfg    *Config
	gather func(dst, value []byte) []byte
	conn   *conn // nil if there is none
	buf    []byte
}

func appendLine(dst, value []byte) []byte { return append(append(dst, value...), '\n') }

func appendLength(dst, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(value))), value...)
}

func (s *sender) send(ctx context.Context, r *outputs.Records) error {
	if s.conn != nil && s.conn.gone.Load() {
		s.drop() // that is no failure yet: what counts is whether there is a peer now
	}
	if s.conn == nil {
		c, err := dial(ctx, s.cfg)
		if err != nil {
			return err
		}
		s.conn = c
	}
	s.buf = s.buf[:0]
	for r.Next() {
		s.buf = s.gather(s.buf, r.Value())
		if len(s.buf) >= chunkBytes {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	return s.flush(ctx)
}

func (s *sender) flush(ctx context.Context) error {
	if len(s.buf) == 0 {
		return nil
	}
	err := s.write(ctx)
	if cap(s.buf) > keepBytes {
		s.buf = nil
	}
	s.buf = s.buf[:0]
	if err != nil {
		s.drop()
		return fmt.Errorf("send to %s: %w", s.cfg.Address, err)
	}
	return nil
}

func (s *sender) write(ctx context.Context) error {
	if s.conn.gone.Load() {
		return errGone
	}
	if s.cfg.WriteTimeout > 0 {
		if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err // the deadline just set may have replaced the one that ends writes
	}
	_, err := s.conn.Write(s.buf)
	return err
}

func (s *sender) drop() {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
}
