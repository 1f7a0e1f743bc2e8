package brokers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	becomeParentToKill()
	goleak.VerifyTestMain(m)
}

// produce appends one record to partition 0 and returns its offset.
func produce(t *testing.T, c *kafka.Client, topic, value string) int64 {
	t.Helper()
	r, err := c.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: topic, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{Time: time.Unix(1, 0), Value: protocol.NewBytes([]byte(value))}),
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.BaseOffset
}

// fetch returns the values of partition 0.
func fetch(t *testing.T, c *kafka.Client, topic string) (values []string) {
	t.Helper()
	r, err := c.Fetch(t.Context(), &kafka.FetchRequest{Topic: topic, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		record, err := r.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return values
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := protocol.ReadAll(record.Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, string(value))
	}
}

func wantValues(t *testing.T, c *kafka.Client, topic string, want ...string) {
	t.Helper()
	if got := fetch(t, c, topic); strings.Join(got, ",") != strings.Join(want, ",") {
		t.Fatalf("the topic holds %q, want %q", got, want)
	}
}

func TestABrokerKeepsItsDataThroughItsDeaths(t *testing.T) {
	for _, version := range []KafkaVersion{Kafka39, Kafka43} {
		t.Run(string(version), func(t *testing.T) {
			t.Parallel()
			k := Kafka(t, version, WithProperty("message.max.bytes", "5000"))
			k.CreateTopic("kept", 1, map[string]string{"segment.bytes": "1048576"})
			k.CreateTopic("gone", 2, nil)
			k.AddPartitions("gone", 3)
			k.DeleteTopic("gone")
			c := k.Client()
			produce(t, c, "kept", "before the kill")

			k.Kill()
			if conn, err := net.DialTimeout("tcp", k.Addr(), time.Second); err == nil {
				conn.Close()
				t.Fatal("a killed broker still listens")
			}
			killed := time.Now()
			k.Restart()
			t.Logf("ready %v after the kill", time.Since(killed).Round(time.Millisecond))
			c = k.Client()
			wantValues(t, c, "kept", "before the kill")

			if offset := produce(t, c, "kept", "after it"); offset != 1 {
				t.Fatalf("offset %d follows 0", offset)
			}
			k.Stop()
			k.Restart()
			c = k.Client()
			wantValues(t, c, "kept", "before the kill", "after it")

			dump := k.DumpLog(k.Segments("kept", 0)...)
			for _, want := range []string{"baseOffset: 0", "baseOffset: 1", "magic: 2", "isvalid: true", "valueSize: 15"} {
				if !strings.Contains(dump, want) {
					t.Errorf("the dump lacks %q:\n%s", want, dump)
				}
			}
			consumed := k.Run("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", k.PlainAddr(),
				"--topic", "kept", "--from-beginning", "--max-messages", "2")
			if consumed != "before the kill\nafter it\n" {
				t.Errorf("Kafka's own consumer reads %q", consumed)
			}
			r, err := c.Produce(t.Context(), &kafka.ProduceRequest{
				Topic: "kept", RequiredAcks: kafka.RequireAll,
				Records: kafka.NewRecordReader(kafka.Record{Value: protocol.NewBytes(bytes.Repeat([]byte("x"), 6000))}),
			})
			if err != nil || !errors.Is(r.Error, kafka.MessageSizeTooLarge) {
				t.Errorf("a record over message.max.bytes: %v, %v", r, err)
			}
		})
	}
}

func TestAStalledBrokerAnswersOnlyWhenItGoesOn(t *testing.T) {
	t.Parallel()
	k := Kafka(t, Kafka39)
	k.CreateTopic("t", 1, nil)
	c := k.Client()
	produce(t, c, "t", "first")
	for range 2 {
		k.Stall()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := c.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
		cancel()
		if err == nil {
			t.Fatal("a stalled broker answered")
		}
		k.Resume()
		wantValues(t, c, "t", "first")
	}
	k.Stall() // which Stop must cope with
	k.Stop()
}
