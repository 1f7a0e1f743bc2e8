package tcp

import (
	"context"
	"crypto/tls"
	"time"
)

// verdictWait is how long a peer that wanted a certificate may take to refuse it.
const verdictWait = time.Second

// dialTLS connects and waits for the peer's verdict on our certificate, if it
// wanted one. In TLS 1.3 our side of the handshake is over before the peer has
// looked at it: whatever is sent to a peer that refuses would count as delivered,
// frame after frame, on one connection after the other.
func dialTLS(ctx, dialCtx context.Context, dialer *tls.Dialer, address string) (*conn, error) {
	v := verdict{accepted: make(chan struct{}, 1)}
	v.listen(dialer.Config)
	raw, err := dialer.DialContext(dialCtx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := newConn(ctx, raw)
	if raw.(*tls.Conn).ConnectionState().Version < tls.VersionTLS13 || !v.wanted {
		return c, nil
	}
	select {
	case <-v.accepted:
	case <-time.After(verdictWait):
	case <-c.ended:
		c.close()
		return nil, c.err
	}
	return c, nil
}

// verdict learns from the handshake what the peer makes of our certificate.
type verdict struct {
	wanted   bool
	accepted chan struct{}
}

func (v *verdict) listen(t *tls.Config) {
	t.ClientSessionCache = v
	t.GetClientCertificate = func(asked *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		v.wanted = true
		for i := range t.Certificates {
			if asked.SupportsCertificate(&t.Certificates[i]) == nil {
				return &t.Certificates[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
}

// Get knows no session: each connection is a new one.
func (v *verdict) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

// Put is called when the peer sends a ticket for another session, as most do at
// once when they have accepted this one.
func (v *verdict) Put(string, *tls.ClientSessionState) {
	select {
	case v.accepted <- struct{}{}:
	default:
	}
}
