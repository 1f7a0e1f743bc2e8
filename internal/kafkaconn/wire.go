package kafkaconn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// maxAnswer bounds an answer, in bytes; what claims to be longer comes from no
// broker. Beyond what was asked for, memory is taken for what has arrived, not for
// what was announced.
const maxAnswer = 1<<31 - 1

// exchange is a request to one broker and its answer, both as bytes. It takes the
// client's connections, and so its TLS, SASL and knowledge of addresses, but none
// of its encoding: the client would make an object of each record that it fetches.
type exchange struct {
	ctx     context.Context
	client  string // its id
	key     protocol.ApiKey
	version int16
	// flexible says that tagged fields stand in the heads of the request and the
	// answer, and late that the client does not know of so new a version.
	flexible, late bool
	request        []byte // the body
	expect         int    // bytes that the answer should not be longer than
	// answer is the body, in memory that is reused if there is enough of it.
	answer []byte
}

// ApiKey tells the client which of the versions it has agreed on with a broker
// this is about.
//
//lint:ignore ST1003 the client names it so
func (x *exchange) ApiKey() protocol.ApiKey { return x.key }

// toBroker is an exchange with one broker.
type toBroker struct {
	*exchange
	broker int32
}

// Broker tells the client where to send the request.
func (x toBroker) Broker(c protocol.Cluster) (protocol.Broker, error) {
	b, ok := c.Brokers[x.broker]
	if !ok {
		return b, fmt.Errorf("broker %d is not in the cluster", x.broker)
	}
	return b, nil
}

// toGroup is an exchange with the coordinator of a group.
type toGroup struct {
	*exchange
	group string
}

// Group has the client look for the coordinator.
func (x toGroup) Group() string { return x.group }

// Required refuses brokers that are too old, in [exchange.RawExchange].
func (x *exchange) Required(versions map[protocol.ApiKey]int16) bool {
	if !x.late && versions[x.key] < x.version {
		x.version = -1
	}
	return true
}

// RawExchange writes the request and reads the answer. It is called by the
// client, and ends early when the context does.
func (x *exchange) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if x.version < 0 {
		return nil, fmt.Errorf("%w than Kafka 2.1", ErrOld)
	}
	if deadline, ok := rw.(interface{ SetDeadline(time.Time) error }); ok {
		stop := context.AfterFunc(x.ctx, func() { deadline.SetDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	if x.late {
		if err := x.agree(rw); err != nil {
			return nil, err
		}
	}
	if err := x.once(rw); err != nil {
		return nil, err
	}
	// Nothing else may use a connection whose deadline may just be set.
	return x, x.ctx.Err()
}

func (x *exchange) once(rw io.ReadWriter) error {
	if err := x.write(rw); err != nil {
		return err
	}
	return x.read(rw)
}

// ErrOld says that a broker is too old for a request. To one that it does not know, a
// broker would say nothing and end the connection.
var ErrOld = errors.New("the broker is older")

// agree asks which versions the broker knows.
func (x *exchange) agree(rw io.ReadWriter) error {
	ask := &exchange{client: x.client, key: protocol.ApiVersions}
	if err := ask.once(rw); err != nil {
		return err
	}
	d := decoder{b: ask.answer}
	if code := d.int16(); code != 0 {
		return kafka.Error(code)
	}
	most := int16(-1)
	for range d.count(6) {
		key, _, last := protocol.ApiKey(d.int16()), d.int16(), d.int16()
		if key == x.key {
			most = last
		}
	}
	switch {
	case d.bad:
		return errAnswer
	case most < x.version:
		return fmt.Errorf("%w than it should be: it knows %s up to version %d, not %d", ErrOld, x.key, most, x.version)
	}
	return nil
}

// ask sends a request to one broker and fills in its answer.
func (c *Cluster) ask(ctx context.Context, broker int32, x *exchange) error {
	return c.send(ctx, x, toBroker{x, broker})
}

// send has the client send x, as a message that says where to.
func (c *Cluster) send(ctx context.Context, x *exchange, message protocol.Message) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout+maxWaitMillis*time.Millisecond)
	defer cancel()
	x.ctx, x.client = ctx, c.cfg.ClientID
	_, err := c.transport.RoundTrip(ctx, c.Addr, message)
	return err
}

// correlation stands in each request and comes back with its answer. There is only
// one request at a time on a connection.
const correlation = 0x5b111

func (x *exchange) write(w io.Writer) error {
	head := make([]byte, 4, 14+len(x.client)+len(x.request))
	head = binary.BigEndian.AppendUint16(head, uint16(x.key))
	head = binary.BigEndian.AppendUint16(head, uint16(x.version))
	head = binary.BigEndian.AppendUint32(head, correlation)
	head = appendString(head, x.client)
	if x.flexible {
		head = append(head, 0) // no tagged fields
	}
	head = append(head, x.request...)
	binary.BigEndian.PutUint32(head, uint32(len(head)-4))
	_, err := w.Write(head)
	return err
}

func (x *exchange) read(r io.Reader) error {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 4
	if got := binary.BigEndian.Uint32(head[4:]); size < 0 || size > maxAnswer || got != correlation {
		return fmt.Errorf("an answer of %d bytes to request %#x, not %#x: this is no Kafka broker", size, got, correlation)
	}
	first := max(x.expect, 1<<20)
	x.answer = x.answer[:0]
	for have := 0; have < int(size); have = len(x.answer) {
		if cap(x.answer) == have {
			x.answer = append(make([]byte, 0, min(int(size), max(2*have, first))), x.answer...)
		}
		x.answer = x.answer[:min(int(size), cap(x.answer))]
		if _, err := io.ReadFull(r, x.answer[have:]); err != nil {
			return err
		}
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func appendInt32(b []byte, i int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(i)) }

func appendInt64(b []byte, i int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(i)) }

// decoder takes an answer apart. Once something is missing, it is bad and
// everything is empty.
type decoder struct {
	b   []byte
	bad bool
}

var errAnswer = errors.New("the broker's answer ends too early")

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.b, d.bad = nil, true
		return nil
	}
	p := d.b[:n:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) int16() int16 {
	if p := d.take(2); p != nil {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (d *decoder) int32() int32 {
	if p := d.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (d *decoder) int64() int64 {
	if p := d.take(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (d *decoder) string() []byte { return d.take(int(d.int16())) }

// bytes may be null, and are then empty.
func (d *decoder) bytes() []byte {
	if n := d.int32(); n >= 0 {
		return d.take(int(n))
	}
	return nil
}

// count is the length of an array, each element of which takes at least size bytes.
// That of null is 0.
func (d *decoder) count(size int) int {
	n := int(d.int32())
	if n > len(d.b)/size {
		d.take(-1)
		return 0
	}
	return max(n, 0)
}
