package tcp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/spillway/spillway/outputs"
)

// conn is one connection. Its reader goroutine throws away what the peer says
// and notices at once when the peer goes: a write would notice only after the
// first frame is lost in the kernel's buffer.
type conn struct {
	net.Conn
	gone   atomic.Bool // set by the reader
	err    error       // why the reader has ended
	ended  chan struct{}
	unhook func() bool
}

func dial(ctx context.Context, c *Config) (*conn, error) {
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, err
	}
	tlsConfig, err := c.TLS.Client(host)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: c.KeepAlive > 0, Idle: c.KeepAlive, Interval: c.KeepAlive, Count: 3,
	}}
	if c.KeepAlive == 0 {
		dialer.KeepAlive = -1
	}
	dialCtx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	var conn *conn
	if tlsConfig != nil {
		conn, err = dialTLS(ctx, dialCtx, &tls.Dialer{NetDialer: &dialer, Config: tlsConfig}, c.Address)
	} else if raw, dialErr := dialer.DialContext(dialCtx, "tcp", c.Address); dialErr != nil {
		err = dialErr
	} else {
		conn = newConn(ctx, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Address, err)
	}
	return conn, nil
}

// newConn takes raw over. The end of ctx interrupts its writes.
func newConn(ctx context.Context, raw net.Conn) *conn {
	c := &conn{Conn: raw, ended: make(chan struct{})}
	c.unhook = context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	go c.read()
	return c
}

func (c *conn) read() {
	defer close(c.ended)
	defer c.gone.Store(true)
	defer outputs.Contain(&c.err)
	if _, c.err = io.Copy(io.Discard, onlyReader{c.Conn}); c.err == nil {
		c.err = errGone
	}
}

// onlyReader hides the connection's WriteTo, which would use a pipe and splice
// for what hardly ever comes.
type onlyReader struct{ io.Reader }

// close ends the connection and its reader. What the kernel has taken is still
// sent.
func (c *conn) close() {
	c.unhook()
	if t, ok := c.Conn.(*tls.Conn); ok {
		// Close says goodbye, and waits up to five seconds for a peer that takes
		// nothing.
		defer time.AfterFunc(100*time.Millisecond, func() { t.NetConn().Close() }).Stop()
	}
	c.Close()
	<-c.ended
}

var errGone = errors.New("the peer has closed the connection")
