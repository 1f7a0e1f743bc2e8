package tcp

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// peer is a server that reads one connection after the other and keeps what
// was framed completely.
type peer struct {
	address string
	framing string
	tls     *tls.Config

	mu       sync.Mutex
	listener net.Listener
	conn     net.Conn
	got      []string
	conns    int
	hung     chan struct{}
	ended    sync.WaitGroup
}

func newPeer(t *testing.T, framing string, config *tls.Config) *peer {
	t.Helper()
	p := &peer{address: "127.0.0.1:0", framing: framing, tls: config}
	p.listen(t)
	t.Cleanup(p.close)
	return p
}

func (p *peer) listen(t testing.TB) {
	l, err := net.Listen("tcp", p.address)
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().String()
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	p.ended.Go(func() { p.serve(l) })
}

// close ends the listener and the connection.
func (p *peer) close() {
	p.mu.Lock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	if p.conn != nil {
		p.conn.Close()
	}
	p.mu.Unlock()
	p.ended.Wait()
}

func (p *peer) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if p.tls != nil {
			c = tls.Server(c, p.tls)
		}
		p.mu.Lock()
		p.conn = c
		p.conns++
		closed := p.listener == nil
		p.mu.Unlock()
		if !closed {
			p.read(c)
		}
		c.Close()
	}
}

func (p *peer) read(c net.Conn) {
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		p.mu.Lock()
		hung := p.hung
		p.mu.Unlock()
		if hung != nil {
			<-hung
		}
		value, err := p.next(r)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.got = append(p.got, value)
		p.mu.Unlock()
	}
}

func (p *peer) next(r *bufio.Reader) (string, error) {
	if p.framing == "newline" {
		line, err := r.ReadString('\n')
		return strings.TrimSuffix(line, "\n"), err
	}
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return "", err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > 16<<20 {
		return "", errors.New("length makes no sense")
	}
	value := make([]byte, size)
	_, err := io.ReadFull(r, value)
	return string(value), err
}

func (p *peer) values() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

func (p *peer) hang() (heal func()) {
	hung := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung = hung
	return func() { close(hung) }
}

func (p *peer) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns
}
