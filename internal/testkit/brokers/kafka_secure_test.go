package brokers

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// connect asks the clients' listener for its versions.
func connect(t *testing.T, k *KafkaBroker, config *tls.Config, mechanism sasl.Mechanism) error {
	t.Helper()
	d := kafka.Dialer{Timeout: 10 * time.Second, TLS: config, SASLMechanism: mechanism}
	conn, err := d.DialContext(t.Context(), "tcp", k.Addr())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, err = conn.ReadPartitions()
	return err
}

// mechanisms are all that WithSASL offers.
func mechanisms(t *testing.T, user, password string) map[string]sasl.Mechanism {
	t.Helper()
	all := map[string]sasl.Mechanism{"PLAIN": plain.Mechanism{Username: user, Password: password}}
	for _, algorithm := range []scram.Algorithm{scram.SHA256, scram.SHA512} {
		m, err := scram.Mechanism(algorithm, user, password)
		if err != nil {
			t.Fatal(err)
		}
		all[algorithm.Name()] = m
	}
	return all
}

// wantSASL lets only the right password in, by every mechanism.
func wantSASL(t *testing.T, k *KafkaBroker, config *tls.Config) {
	t.Helper()
	for name, mechanism := range mechanisms(t, "writer", "secret-1") {
		if err := connect(t, k, config, mechanism); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, mechanism := range mechanisms(t, "writer", "secret-2") {
		if err := connect(t, k, config, mechanism); err == nil {
			t.Errorf("%s lets a wrong password in", name)
		}
	}
	if err := connect(t, k, config, nil); err == nil {
		t.Error("a client without a password got in")
	}
}

func TestSASLLetsOnlyTheRightPasswordIn(t *testing.T) {
	t.Parallel()
	k := Kafka(t, Kafka43, WithSASL("writer", "secret-1"))
	wantSASL(t, k, nil)
	k.CreateTopic("t", 1, nil) // the test's own way in stays open
}

func TestTLSAndSASLGoTogether(t *testing.T) {
	t.Parallel()
	k := Kafka(t, Kafka39, WithTLS(), WithSASL("writer", "secret-1"))
	config := k.Certificates().Client()
	config.Certificates = nil // asked for, and not required
	wantSASL(t, k, config)
	if err := connect(t, k, nil, plain.Mechanism{Username: "writer", Password: "secret-1"}); err == nil {
		t.Error("a client without TLS got in")
	}
	if err := connect(t, k, &tls.Config{}, plain.Mechanism{Username: "writer", Password: "secret-1"}); err == nil {
		t.Error("a client that does not know the authority trusts the broker")
	}
}

func TestMutualTLSWantsTheClientsCertificate(t *testing.T) {
	t.Parallel()
	k := Kafka(t, Kafka43, WithMutualTLS())
	config := k.Certificates().Client()
	if err := connect(t, k, config, nil); err != nil {
		t.Error(err)
	}
	config.Certificates = nil
	if err := connect(t, k, config, nil); err == nil {
		t.Error("a client without a certificate got in")
	}
}
