package brokers

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spillway/spillway/internal/testkit/certificates"
)

// kafkaProperties are those of a single broker for tests.
func kafkaProperties(data, plain, controller string) map[string]string {
	return map[string]string{
		"process.roles":            "broker,controller",
		"node.id":                  "1",
		"controller.quorum.voters": "1@" + controller,

		"listeners":                      "PLAIN://" + plain + ",CONTROLLER://" + controller,
		"advertised.listeners":           "PLAIN://" + plain,
		"listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name":     "PLAIN",
		"controller.listener.names":      "CONTROLLER",

		// After a kill, the controller lets the broker in again only when its
		// former life's session is over.
		"broker.session.timeout.ms":    "2000",
		"broker.heartbeat.interval.ms": "500",

		"log.dirs":                  data,
		"auto.create.topics.enable": "false",
		// Records carry the timestamps that the tests want: none is too old.
		"log.retention.ms": "-1",

		// Kafka's own topics need no more than there is.
		"default.replication.factor":                       "1",
		"min.insync.replicas":                              "1",
		"offsets.topic.replication.factor":                 "1",
		"offsets.topic.num.partitions":                     "1",
		"transaction.state.log.replication.factor":         "1",
		"transaction.state.log.min.isr":                    "1",
		"transaction.state.log.num.partitions":             "1",
		"share.coordinator.state.topic.replication.factor": "1",
		"share.coordinator.state.topic.min.isr":            "1",
		"group.initial.rebalance.delay.ms":                 "0",

		// Small, for a machine with other things to do.
		"num.network.threads":            "2",
		"num.io.threads":                 "2",
		"background.threads":             "2",
		"log.cleaner.dedupe.buffer.size": "16777216",
	}
}

// secure adds the listener for clients, with TLS, SASL or both.
func (s *kafkaSettings) secure(p map[string]string, addr string, c *certificates.Certificates) {
	protocol := "SASL_PLAINTEXT"
	switch {
	case s.tls && s.user != "":
		protocol = "SASL_SSL"
	case s.tls:
		protocol = "SSL"
	}
	p["listeners"] += ",CLIENTS://" + addr
	p["advertised.listeners"] += ",CLIENTS://" + addr
	p["listener.security.protocol.map"] += ",CLIENTS:" + protocol
	const prefix = "listener.name.clients."
	if s.user != "" {
		const modules = "org.apache.kafka.common.security."
		p[prefix+"sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
		p[prefix+"plain.sasl.jaas.config"] = fmt.Sprintf("%splain.PlainLoginModule required user_%s=\"%s\";", modules, s.user, s.password)
		p[prefix+"scram-sha-256.sasl.jaas.config"] = modules + "scram.ScramLoginModule required;"
		p[prefix+"scram-sha-512.sasl.jaas.config"] = modules + "scram.ScramLoginModule required;"
	}
	if s.tls {
		p[prefix+"ssl.keystore.type"] = "PEM"
		p[prefix+"ssl.keystore.location"] = c.ServerFile
		p[prefix+"ssl.truststore.type"] = "PEM"
		p[prefix+"ssl.truststore.location"] = c.CA
		p[prefix+"ssl.client.auth"] = s.clientAuth
	}
}

// propertiesText writes properties as Java reads them.
func propertiesText(p map[string]string) []byte {
	var b bytes.Buffer
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	for _, name := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", name, escape.Replace(p[name]))
	}
	return b.Bytes()
}
