// Package kafkaconn is how the kafka components reach a cluster: addresses, TLS,
// SASL, and the metadata that says who leads which partition. What the client library
// does not ask as it should be asked is written and read here, on its connections
// (wire.go): fetches of whole record batches (fetch.go), offsets (offsets.go), and what
// a group has committed (committed.go).
package kafkaconn

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/tlsconf"
)

// Config are the keys that every kafka component has.
type Config struct {
	Brokers        []string       `yaml:"brokers" doc:"Hosts and ports at which to learn of the cluster; one that answers is enough." required:"true" example:"[kafka-1.example.com:9092]"`
	ClientID       string         `yaml:"client_id" doc:"Name by which the brokers' logs and quotas know this client."`
	ConnectTimeout time.Duration  `yaml:"connect_timeout" doc:"How long connecting to a broker may take, TLS and SASL included." min:"100ms"`
	RequestTimeout time.Duration  `yaml:"request_timeout" doc:"How long a broker may take to answer before the request is sent again." min:"1s"`
	SASL           SASL           `yaml:"sasl" doc:"How to log in."`
	TLS            tlsconf.Config `yaml:"tls" doc:"Encryption of the connections."`
}

// SASL says who we are.
type SASL struct {
	Mechanism string `yaml:"mechanism" doc:"How the password is shown to the broker: plain sends it as it is and needs TLS to be safe; scram proves that it is known. none does not log in." oneof:"none,plain,scram-sha-256,scram-sha-512"`
	Username  string `yaml:"username" doc:"The user." example:"spillway"`
	Password  string `yaml:"password" doc:"The user's password; better taken from a file or the environment." example:"${file:/etc/spillway/kafka-password}"`
}

// Default connects without TLS and does not log in.
func Default() Config {
	return Config{
		ClientID: "spillway", ConnectTimeout: 10 * time.Second, RequestTimeout: 30 * time.Second,
		SASL: SASL{Mechanism: "none"}, TLS: tlsconf.Default(),
	}
}

// Check tells whether the addresses are some.
func (c *Config) Check() error {
	for _, b := range c.Brokers {
		host, port, err := net.SplitHostPort(b)
		if err == nil && (host == "" || port == "" || port == "0") {
			err = fmt.Errorf("%q needs a host and a port, as in kafka-1.example.com:9092", b)
		}
		if err != nil {
			return config.At("brokers", err)
		}
	}
	if len(c.Brokers) == 0 {
		return config.At("brokers", errors.New("name at least one broker"))
	}
	return nil
}

// Check tells whether the keys make sense together.
func (s *SASL) Check() error {
	switch {
	case s.Mechanism == "none" && (s.Username != "" || s.Password != ""):
		return errors.New("mechanism is none, but there is a username or password: choose plain, scram-sha-256 or scram-sha-512")
	case s.Mechanism != "none" && (s.Username == "" || s.Password == ""):
		return fmt.Errorf("%s needs a username and a password", s.Mechanism)
	}
	_, err := s.mechanism()
	return err
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, s.Username, s.Password)
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, s.Username, s.Password)
	}
	return nil, nil
}
