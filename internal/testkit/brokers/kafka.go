package brokers

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/spillway/spillway/internal/testkit/certificates"
)

// KafkaVersion is a version of Kafka that make brokers installs.
type KafkaVersion string

// The last of the old line, and the newest that can be installed whole.
const (
	Kafka39 KafkaVersion = "3.9.2"
	Kafka43 KafkaVersion = "4.3.0"
)

// KafkaBroker is one Kafka broker, which is its own controller. Like its
// [Server]'s, its methods fail the test that started it.
type KafkaBroker struct {
	*Server
	version      KafkaVersion
	addr         string // for the clients under test
	plain        string // without TLS and SASL
	certificates *certificates.Certificates
}

// KafkaOption changes a broker before its first start.
type KafkaOption func(*kafkaSettings)

type kafkaSettings struct {
	properties     map[string]string
	user, password string
	tls            bool
	clientAuth     string
}

// WithProperty sets a property of the broker, such as message.max.bytes, over
// what this package sets.
func WithProperty(name, value string) KafkaOption {
	return func(s *kafkaSettings) { s.properties[name] = value }
}

// WithSASL makes clients say who they are, by PLAIN, SCRAM-SHA-256 or
// SCRAM-SHA-512. User and password hold letters, digits, - and _ only: Kafka's
// own ways of writing them down have no other characters in common.
func WithSASL(user, password string) KafkaOption {
	return func(s *kafkaSettings) { s.user, s.password = user, password }
}

// WithTLS makes clients use TLS. A certificate of theirs is asked for, and may be
// absent. [KafkaBroker.Certificates] tells where everything is.
func WithTLS() KafkaOption {
	return func(s *kafkaSettings) { s.tls, s.clientAuth = true, "requested" }
}

// WithMutualTLS is [WithTLS] that refuses clients without a certificate.
func WithMutualTLS() KafkaOption {
	return func(s *kafkaSettings) { s.tls, s.clientAuth = true, "required" }
}

// Kafka starts a broker with no data and returns when it is ready, in some four
// seconds. It is killed when the test ends. One that was stalled for more than
// two seconds may have lost its session, and refuse requests for a moment.
func Kafka(t testing.TB, version KafkaVersion, options ...KafkaOption) *KafkaBroker {
	t.Helper()
	classpath := version.classpath(t)
	s := kafkaSettings{properties: map[string]string{}}
	for _, option := range options {
		option(&s)
	}
	dir := t.TempDir()
	k := &KafkaBroker{version: version, plain: freeAddr(t)}
	k.addr = k.plain
	p := kafkaProperties(filepath.Join(dir, "data"), k.plain, freeAddr(t))
	if s.tls {
		k.certificates = certificates.New(t)
	}
	if s.tls || s.user != "" {
		k.addr = freeAddr(t)
		s.secure(p, k.addr, k.certificates)
	}
	maps.Copy(p, s.properties)
	config := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(config, propertiesText(p), 0o600); err != nil {
		t.Fatal(err)
	}
	version.Run(t, "kafka.tools.StorageTool", s.format(config)...)
	k.Server = &Server{
		t: t, name: "Kafka " + string(version), dir: dir,
		command: func() *exec.Cmd {
			return java(classpath, "512m", dir,
				"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.log.kafka.server=info",
				"-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
				"kafka.Kafka", config)
		},
		ready: func() error {
			_, err := k.topics()
			return err
		},
	}
	k.start()
	return k
}

// format are the arguments by which a new data folder is made.
func (s *kafkaSettings) format(config string) []string {
	id := make([]byte, 16)
	rand.Read(id)
	id[0] &= 0x7f // or the text could begin with a dash
	args := []string{"format", "--cluster-id", base64.RawURLEncoding.EncodeToString(id), "--config", config}
	if s.user != "" {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, s.user, s.password))
		}
	}
	return args
}

// Addr is where the clients under test connect, as host:port: with TLS and SASL,
// if the broker was started so.
func (k *KafkaBroker) Addr() string { return k.addr }

// PlainAddr is where a test itself may look, without TLS and SASL, whatever the
// options are. Clients are told of this address by it, and of Addr by that one.
func (k *KafkaBroker) PlainAddr() string { return k.plain }

// Certificates are those of a broker with TLS, else nil.
func (k *KafkaBroker) Certificates() *certificates.Certificates { return k.certificates }

// DataDir is the folder that holds a folder for each partition, TOPIC-NUMBER.
func (k *KafkaBroker) DataDir() string { return filepath.Join(k.dir, "data") }

// topics are the partitions' counts by topic, internal topics included. It is an
// error if the broker does not answer, or a partition has no leader.
func (k *KafkaBroker) topics() (map[string]int, error) {
	conn, err := net.DialTimeout("tcp", k.plain, 5*time.Second)
	if err != nil {
		return nil, err
	}
	c := kafka.NewConn(conn, "", 0)
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := c.ApiVersions(); err != nil {
		return nil, err
	}
	if all, err := c.Brokers(); err != nil || len(all) == 0 {
		return nil, errors.Join(err, errors.New("the broker is not a member of its cluster yet"))
	}
	partitions, err := c.ReadPartitions()
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, p := range partitions {
		if p.Leader.Port == 0 {
			return nil, fmt.Errorf("%s-%d has no leader", p.Topic, p.ID)
		}
		counts[p.Topic]++
	}
	return counts, nil
}

// Client returns a client of PlainAddr for the test itself. Its connections are
// closed when the test ends. After a restart take another: this one may still try
// connections that have ended. It remembers for 6 s which topics there are.
func (k *KafkaBroker) Client() *kafka.Client {
	c, done := k.client()
	k.t.Cleanup(done)
	return c
}

func (k *KafkaBroker) client() (c *kafka.Client, done func()) {
	transport := &kafka.Transport{}
	return &kafka.Client{Addr: kafka.TCP(k.plain), Transport: transport, Timeout: time.Minute}, transport.CloseIdleConnections
}
