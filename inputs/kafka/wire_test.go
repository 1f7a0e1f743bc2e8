package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// someAsks are of three topics, of which one comes twice, as rotation leaves them.
func someAsks() []ask {
	return []ask{
		{newPartition("a", 1), 10}, {newPartition("b", 0), 20}, {newPartition("b", 1), 30}, {newPartition("a", 0), 40},
	}
}

func TestAnotherImplementationReadsTheRequests(t *testing.T) {
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version = fetchVersion
	if err := fetch.ReadFrom(appendFetch(nil, someAsks(), 1, 1234)); err != nil {
		t.Fatal(err)
	}
	if fetch.MaxBytes != 1234 || fetch.IsolationLevel != 1 || fetch.MinBytes != 1 || fetch.MaxWaitMillis != maxWaitMillis || fetch.ReplicaID != -1 {
		t.Errorf("%+v", fetch)
	}
	var got []string
	var offsets []int64
	for _, topic := range fetch.Topics {
		for _, p := range topic.Partitions {
			got = append(got, topic.Topic)
			offsets = append(offsets, int64(p.Partition), p.FetchOffset, int64(p.PartitionMaxBytes))
		}
	}
	if !slices.Equal(got, []string{"a", "b", "b", "a"}) || !slices.Equal(offsets, []int64{1, 10, 1234, 0, 20, 1234, 1, 30, 1234, 0, 40, 1234}) {
		t.Errorf("%q, %v", got, offsets)
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version = listVersion
	if err := list.ReadFrom(appendList(nil, someAsks(), 1, -2)); err != nil {
		t.Fatal(err)
	}
	if len(list.Topics) != 3 || list.IsolationLevel != 1 || list.Topics[1].Partitions[1].Partition != 1 || list.Topics[0].Partitions[0].Timestamp != -2 {
		t.Errorf("%+v", list)
	}
}

// fetchResponse is another implementation's encoding of an answer.
func fetchResponse() *kmsg.FetchResponse {
	res := kmsg.NewPtrFetchResponse()
	res.Version = fetchVersion
	for _, name := range []string{"a", "b"} {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = name
		for i := range int32(2) {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition, p.ErrorCode, p.HighWatermark = i, int16(i), 99
			if i == 0 {
				p.RecordBatches = []byte("records of " + name)
				abort := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				abort.ProducerID, abort.FirstOffset = 7, 8
				p.AbortedTransactions = append(p.AbortedTransactions, abort)
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		res.Topics = append(res.Topics, topic)
	}
	return res
}

func TestWhatAnotherImplementationAnswersIsRead(t *testing.T) {
	var got []string
	err := eachFetched(fetchResponse().AppendTo(nil), func(f *fetched) error {
		got = append(got, string(f.topic)+" "+string(f.records))
		if (f.number == 0) != (len(f.aborted) == 1) || int32(f.err) != f.number {
			t.Errorf("%+v", f)
		}
		return nil
	})
	if want := []string{"a records of a", "a ", "b records of b", "b "}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	res := fetchResponse()
	res.ErrorCode = int16(kafka.FetchSessionIDNotFound)
	if err := eachFetched(res.AppendTo(nil), nil); !errors.Is(err, kafka.FetchSessionIDNotFound) {
		t.Errorf("%v", err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(fetchResponse().AppendTo(nil))
	list := kmsg.NewPtrListOffsetsResponse()
	list.Version = listVersion
	topic := kmsg.NewListOffsetsResponseTopic()
	topic.Topic = "t"
	topic.Partitions = append(topic.Partitions, kmsg.NewListOffsetsResponseTopicPartition())
	list.Topics = append(list.Topics, topic)
	f.Add(list.AppendTo(nil))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		fetchedTheSame(t, data)
		listedTheSame(t, data)
	})
}

// fetchedTheSame compares with another implementation. It may take what ours does
// not: a topic's or array's length of -2, as null.
func fetchedTheSame(t *testing.T, data []byte) {
	var got, want []fetched
	err := eachFetched(data, func(f *fetched) error {
		c := *f
		c.aborted = slices.Clone(f.aborted)
		got = append(got, c)
		return nil
	})
	other := kmsg.NewPtrFetchResponse()
	other.Version = fetchVersion
	if err != nil {
		return
	}
	if err := other.ReadFrom(data); err != nil {
		t.Fatalf("read, but not by the other implementation: %v", err)
	}
	for _, topic := range other.Topics {
		for _, p := range topic.Partitions {
			w := fetched{topic: []byte(topic.Topic), number: p.Partition, err: kafka.Error(p.ErrorCode), records: p.RecordBatches}
			for _, a := range p.AbortedTransactions {
				w.aborted = append(w.aborted, aborted{a.ProducerID, a.FirstOffset})
			}
			want = append(want, w)
		}
	}
	if !slices.EqualFunc(got, want, func(a, b fetched) bool {
		return bytes.Equal(a.topic, b.topic) && a.number == b.number && a.err == b.err && bytes.Equal(a.records, b.records) && slices.Equal(a.aborted, b.aborted)
	}) {
		t.Fatalf("%+v, the other implementation has %+v", got, want)
	}
}

func listedTheSame(t *testing.T, data []byte) {
	type offset struct {
		topic  string
		number int32
		code   int16
		offset int64
	}
	var got, want []offset
	if err := eachListed(data, func(topic []byte, number int32, code kafka.Error, at int64) {
		got = append(got, offset{string(topic), number, int16(code), at})
	}); err != nil {
		return
	}
	other := kmsg.NewPtrListOffsetsResponse()
	other.Version = listVersion
	if err := other.ReadFrom(data); err != nil {
		t.Fatalf("read, but not by the other implementation: %v", err)
	}
	for _, topic := range other.Topics {
		for _, p := range topic.Partitions {
			want = append(want, offset{topic.Topic, p.Partition, p.ErrorCode, p.Offset})
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%+v, the other implementation has %+v", got, want)
	}
}

// talk is a connection on which the answer is ready.
type talk struct {
	io.Reader
	io.Writer
}

func TestAnExchangeReadsTheWholeAnswerIntoWhatMemoryThereIs(t *testing.T) {
	body := strings.Repeat("x", 5<<20)
	answer := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	answer = append(binary.BigEndian.AppendUint32(answer, correlation), body...)
	for _, memory := range []int{0, 10, 6 << 20} {
		x := &exchange{ctx: t.Context(), answer: make([]byte, memory)}
		if _, err := x.RawExchange(&talk{bytes.NewReader(answer), io.Discard}); err != nil || string(x.answer) != body {
			t.Errorf("with %d bytes: %d bytes, %v", memory, len(x.answer), err)
		}
	}
}

func TestAnExchangeRefusesWhatIsNoBroker(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":       "",
		"an end":        "\x00\x00\x00\x10\x00\x05\xb1\x11only this",
		"another id":    "\x00\x00\x00\x04\x00\x00\x00\x01",
		"a TLS alert":   "\x15\x03\x03\x00\x02\x02\x28\x00",
		"less than any": "\x00\x00\x00\x03\x00\x05\xb1\x11",
		"2 GiB":         "\x7f\xff\xff\xff\x00\x05\xb1\x11 and then no more",
	} {
		x := &exchange{ctx: t.Context()}
		if _, err := x.RawExchange(&talk{strings.NewReader(answer), io.Discard}); err == nil || cap(x.answer) > 2<<20 {
			t.Errorf("%s: %v, %d bytes taken", name, err, cap(x.answer))
		}
	}
	x := &exchange{ctx: t.Context(), key: protocol.Fetch, version: fetchVersion}
	x.Required(map[protocol.ApiKey]int16{protocol.Fetch: 9})
	if _, err := x.RawExchange(&talk{strings.NewReader(""), io.Discard}); err == nil || !strings.Contains(err.Error(), "Kafka 2.1") {
		t.Errorf("an old broker: %v", err)
	}
	if _, err := x.Broker(protocol.Cluster{}); err == nil {
		t.Error("a broker that is not there")
	}
}
