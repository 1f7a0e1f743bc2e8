package kafkaconn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// someAsks are of three topics, of which one comes twice, as rotation leaves them.
func someAsks() []Ask {
	return []Ask{{"a", 1, 10}, {"b", 0, 20}, {"b", 1, 30}, {"a", 0, 40}}
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
	if err := list.ReadFrom(appendList(nil, someAsks(), Query{Timestamp: -2, Isolation: 1})); err != nil {
		t.Fatal(err)
	}
	if len(list.Topics) != 3 || list.IsolationLevel != 1 || list.Topics[1].Partitions[1].Partition != 1 || list.Topics[0].Partitions[0].Timestamp != -2 ||
		list.ReplicaID != -1 || list.Topics[0].Partitions[0].CurrentLeaderEpoch != -1 {
		t.Errorf("%+v", list)
	}
	if err := list.ReadFrom(appendList(nil, someAsks(), Query{Timestamp: -1, Unreplicated: true, LeaderEpoch: 7})); err != nil {
		t.Fatal(err)
	}
	if list.ReplicaID != -2 || list.Topics[0].Partitions[0].CurrentLeaderEpoch != 7 {
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
	err := EachFetched(fetchResponse().AppendTo(nil), func(f *Fetched) error {
		got = append(got, string(f.Topic)+" "+string(f.Records))
		if (f.Number == 0) != (len(f.Aborted) == 1) || int32(f.Err) != f.Number {
			t.Errorf("%+v", f)
		}
		return nil
	})
	if want := []string{"a records of a", "a ", "b records of b", "b "}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	res := fetchResponse()
	res.ErrorCode = int16(kafka.FetchSessionIDNotFound)
	if err := EachFetched(res.AppendTo(nil), nil); !errors.Is(err, kafka.FetchSessionIDNotFound) {
		t.Errorf("%v", err)
	}
}

// committedResponse is another implementation's encoding of an answer.
func committedResponse() *kmsg.OffsetFetchResponse {
	res := kmsg.NewPtrOffsetFetchResponse()
	res.Version = committedVersion
	for _, name := range []string{"a", "b"} {
		topic := kmsg.NewOffsetFetchResponseTopic()
		topic.Topic = name
		for i := range int32(2) {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.ErrorCode = i, int64(10+i), int16(i)*int16(kafka.UnstableOffsetCommit)
			if i == 0 {
				mark := "mark of " + name
				p.Metadata = &mark
			}
			p.UnknownTags.Set(9, []byte("new"))
			topic.Partitions = append(topic.Partitions, p)
		}
		res.Topics = append(res.Topics, topic)
	}
	return res
}

func TestAStableOffsetIsAskedForAndRead(t *testing.T) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = committedVersion
	if err := req.ReadFrom(appendCommitted(nil, "group", "topic", 3)); err != nil {
		t.Fatal(err)
	}
	if req.Group != "group" || !req.RequireStable || len(req.Topics) != 1 || req.Topics[0].Topic != "topic" || !slices.Equal(req.Topics[0].Partitions, []int32{3}) {
		t.Errorf("%+v", req)
	}
	for name, tt := range map[string]struct {
		head string
		code kafka.Error
		want string
	}{
		"as it is":           {"\x00", 0, "a 0 10 mark of a 0; a 1 11  88; b 0 10 mark of b 0; b 1 11  88; "},
		"a tag in the head":  {"\x01\x05\x02ab", 0, "a 0 10 mark of a 0; a 1 11  88; b 0 10 mark of b 0; b 1 11  88; "},
		"an error of it all": {"\x00", kafka.NotCoordinatorForGroup, ""},
	} {
		res := committedResponse()
		if res.ErrorCode = int16(tt.code); tt.code != 0 {
			res.Topics = nil
		}
		got := ""
		err := eachCommitted(res.AppendTo([]byte(tt.head)), func(f *committed) {
			got += fmt.Sprintf("%s %d %d %s %d; ", f.topic, f.number, f.offset, f.metadata, f.err)
		})
		if got != tt.want || tt.code == 0 && err != nil || tt.code != 0 && !errors.Is(err, tt.code) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzCommitted(f *testing.F) {
	f.Add(committedResponse().AppendTo(nil))
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want []committed
		code := kafka.Error(0)
		err := eachCommitted(append([]byte{0}, data...), func(f *committed) { got = append(got, *f) })
		if err != nil && !errors.As(err, &code) {
			return
		}
		other := kmsg.NewPtrOffsetFetchResponse()
		other.Version = committedVersion
		if err := other.ReadFrom(data); err != nil {
			t.Fatalf("read, but not by the other implementation: %v", err)
		}
		for _, topic := range other.Topics {
			for _, p := range topic.Partitions {
				c := committed{topic: []byte(topic.Topic), number: p.Partition, offset: p.Offset, err: kafka.Error(p.ErrorCode)}
				if p.Metadata != nil {
					c.metadata = []byte(*p.Metadata)
				}
				want = append(want, c)
			}
		}
		if kafka.Error(other.ErrorCode) != code || !slices.EqualFunc(got, want, func(a, b committed) bool {
			return bytes.Equal(a.topic, b.topic) && a.number == b.number && a.offset == b.offset && a.err == b.err && bytes.Equal(a.metadata, b.metadata)
		}) {
			t.Fatalf("%+v %d, the other implementation has %+v %d", got, code, want, other.ErrorCode)
		}
	})
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
	var got, want []Fetched
	err := EachFetched(data, func(f *Fetched) error {
		c := *f
		c.Aborted = slices.Clone(f.Aborted)
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
			w := Fetched{Topic: []byte(topic.Topic), Number: p.Partition, Err: kafka.Error(p.ErrorCode), Records: p.RecordBatches}
			for _, a := range p.AbortedTransactions {
				w.Aborted = append(w.Aborted, Aborted{a.ProducerID, a.FirstOffset})
			}
			want = append(want, w)
		}
	}
	if !slices.EqualFunc(got, want, func(a, b Fetched) bool {
		return bytes.Equal(a.Topic, b.Topic) && a.Number == b.Number && a.Err == b.Err && bytes.Equal(a.Records, b.Records) && slices.Equal(a.Aborted, b.Aborted)
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
		epoch  int32
	}
	var got, want []offset
	if err := eachListed(data, func(l *Listed) {
		got = append(got, offset{string(l.Topic), l.Number, int16(l.Err), l.Offset, l.LeaderEpoch})
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
			want = append(want, offset{topic.Topic, p.Partition, p.ErrorCode, p.Offset, p.LeaderEpoch})
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
	versions := "\x00\x00\x00\x10\x00\x05\xb1\x11" + "\x00\x00" + "\x00\x00\x00\x01" + "\x00\x09\x00\x00\x00\x06"
	late := &exchange{ctx: t.Context(), key: protocol.OffsetFetch, version: committedVersion, late: true}
	late.Required(nil)
	if _, err := late.RawExchange(&talk{strings.NewReader(versions), io.Discard}); !errors.Is(err, ErrOld) {
		t.Errorf("an old broker: %v", err)
	}
	x := &exchange{ctx: t.Context(), key: protocol.Fetch, version: fetchVersion}
	x.Required(map[protocol.ApiKey]int16{protocol.Fetch: 9})
	if _, err := x.RawExchange(&talk{strings.NewReader(""), io.Discard}); err == nil || !strings.Contains(err.Error(), "Kafka 2.1") {
		t.Errorf("an old broker: %v", err)
	}
	if _, err := (toBroker{x, 1}).Broker(protocol.Cluster{}); err == nil {
		t.Error("a broker that is not there")
	}
}
