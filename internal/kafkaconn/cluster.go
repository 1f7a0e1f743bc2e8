package kafkaconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
)

// metadataTTL bounds how old the client's picture of the cluster gets. [Cluster.Refresh]
// renews it at once, so this is only for what no error tells: partitions that were
// added.
const metadataTTL = time.Minute

// Cluster is a client of one cluster. Its methods may be called by several goroutines.
type Cluster struct {
	kafka.Client
	cfg       *Config
	transport *kafka.Transport

	mu        sync.Mutex
	refreshed time.Time
}

// New returns a client that has not connected yet. Close it.
func New(cfg *Config) (*Cluster, error) {
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	c := &Cluster{cfg: cfg}
	c.transport = &kafka.Transport{
		Dial: c.dial, DialTimeout: cfg.ConnectTimeout, MetadataTTL: metadataTTL, ClientID: cfg.ClientID, SASL: mechanism,
	}
	// The client tells the broker half of its timeout: the other half is for the network.
	c.Client = kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Timeout: cfg.RequestTimeout, Transport: c.transport}
	return c, nil
}

// dial connects, with TLS where that is configured. The files are read for each
// connection, so that renewed certificates are taken up.
func (c *Cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	t, err := c.cfg.TLS.Client(host)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return (&tls.Dialer{Config: t}).DialContext(ctx, network, address)
}

// Refresh makes the next request learn anew who leads what, at most once a second.
// Requests under way are not disturbed.
func (c *Cluster) Refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.refreshed) >= time.Second {
		c.refreshed = now
		c.transport.CloseIdleConnections()
	}
}

// Close ends the connections that are not in use, and the others when their requests
// are over.
func (c *Cluster) Close() { c.transport.CloseIdleConnections() }

// Topic returns the partitions of a topic by number, and the cluster's id. A
// partition without leader has one with an empty host.
func (c *Cluster) Topic(ctx context.Context, name string) (partitions []kafka.Partition, clusterID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	res, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return nil, "", c.Explain(err)
	}
	if len(res.Topics) == 0 {
		return nil, "", fmt.Errorf("topic %q: the broker does not speak of it", name)
	}
	t := res.Topics[0]
	if t.Error != nil {
		return nil, "", topicError(name, t.Error)
	}
	if len(t.Partitions) == 0 {
		return nil, "", fmt.Errorf("topic %q has no partitions yet", name)
	}
	partitions = make([]kafka.Partition, len(t.Partitions))
	for _, p := range t.Partitions {
		if p.ID < 0 || p.ID >= len(partitions) {
			return nil, "", fmt.Errorf("topic %q: partition %d of %d", name, p.ID, len(partitions))
		}
		partitions[p.ID] = p
	}
	return partitions, res.ClusterID, nil
}

// ID is the cluster's id.
func (c *Cluster) ID(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	res, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{}})
	if err != nil {
		return "", c.Explain(err)
	}
	return res.ClusterID, nil
}

func topicError(name string, err error) error {
	switch {
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		return fmt.Errorf("topic %q is not on the cluster, or this user may not see it: create it, or correct topic: %w", name, err)
	case errors.Is(err, kafka.TopicAuthorizationFailed):
		return fmt.Errorf("topic %q: this user may not use it: %w", name, err)
	}
	return fmt.Errorf("topic %q: %w", name, err)
}

// Explain says in the configuration's words what an error is about.
func (c *Cluster) Explain(err error) error {
	brokers := strings.Join(c.cfg.Brokers, ", ")
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("brokers: nobody listens at %s: %w", brokers, err)
	case errors.As(err, &dns):
		return fmt.Errorf("brokers: %q is no host that is known here: %w", dns.Name, err)
	case errors.As(err, &verify):
		return fmt.Errorf("tls.ca, tls.server_name: the certificate of %s is not trusted: %w", brokers, err)
	case errors.As(err, &op) && op.Op == "remote error": // what package tls calls an alert of the peer's
		return fmt.Errorf("tls.cert, tls.key: %s does not take our certificate, or wants one: %w", brokers, err)
	case errors.As(err, &record):
		return fmt.Errorf("tls.enabled: %s does not speak TLS: %w", brokers, err)
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		return fmt.Errorf("sasl.username, sasl.password: %s refuses them: %w", brokers, err)
	case errors.Is(err, kafka.UnsupportedSASLMechanism), errors.Is(err, kafka.IllegalSASLState):
		return fmt.Errorf("sasl.mechanism: %s does not offer %s: %w", brokers, c.cfg.SASL.Mechanism, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("brokers: %s ends the connection: it may want other settings of tls or sasl: %w", brokers, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("brokers: no answer from %s in time: %w", brokers, err)
	}
	return err
}
