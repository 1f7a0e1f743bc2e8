package tcp

import (
	"fmt"
	"net"
	"time"

	"github.com/spillway/spillway/internal/config"
	"github.com/spillway/spillway/internal/tlsconf"
)

// Config is the tcp output's.
type Config struct {
	Address        string         `yaml:"address" doc:"Host and port to connect to." required:"true" example:"127.0.0.1:5170"`
	Framing        string         `yaml:"framing" doc:"What tells records apart: newline (after each), or length (4 bytes before each, big-endian), which any bytes survive." oneof:"newline,length"`
	ConnectTimeout time.Duration  `yaml:"connect_timeout" doc:"How long connecting may take, the TLS handshake included." min:"1ms"`
	WriteTimeout   time.Duration  `yaml:"write_timeout" doc:"How long the peer may take to accept the next 256 KiB before the connection is given up and the frame sent again on a new one; 0 waits for ever." min:"0s"`
	KeepAlive      time.Duration  `yaml:"keepalive" doc:"How often a silent peer is probed; three unanswered probes end the connection. 0 switches probes off." min:"0s"`
	TLS            tlsconf.Config `yaml:"tls" doc:"Encryption of the connection."`
}

// Default is newline framing, without TLS.
func Default() *Config {
	return &Config{
		Framing: "newline", ConnectTimeout: 10 * time.Second, WriteTimeout: time.Minute,
		KeepAlive: 15 * time.Second, TLS: tlsconf.Default(),
	}
}

// Check tells whether the address is one.
func (c *Config) Check() error {
	host, port, err := net.SplitHostPort(c.Address)
	if err == nil && (host == "" || port == "" || port == "0") {
		err = fmt.Errorf("%q needs a host and a port", c.Address)
	}
	return config.At("address", err)
}
