package kafka

import (
	"context"
	"net"
	"sync"
	"time"
)

// cutDial is how long a connection may take when the others were cut: it is only
// to say goodbye.
const cutDial = time.Second

// lines are the connections of a group's membership. The library waits on them
// without a context.
type lines struct {
	mu    sync.Mutex
	open  map[*line]struct{}
	isCut bool
}

type line struct {
	net.Conn
	of *lines
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dial makes a dialer remember what it has dialled.
func (l *lines) dial(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		l.mu.Lock()
		isCut := l.isCut
		l.mu.Unlock()
		if isCut {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, cutDial)
			defer cancel()
		}
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		n := &line{conn, l}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.open == nil {
			l.open = map[*line]struct{}{}
		}
		l.open[n] = struct{}{}
		return n, nil
	}
}

// cut closes all connections. Those that are dialled afterwards stay open.
func (l *lines) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for n := range l.open {
		n.Conn.Close()
	}
}

func (n *line) Close() error {
	n.of.mu.Lock()
	delete(n.of.open, n)
	n.of.mu.Unlock()
	return n.Conn.Close()
}
