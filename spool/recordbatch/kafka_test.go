package recordbatch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"
)

// foreignRecords reads a batch with another implementation, which was written
// against real brokers.
func foreignRecords(batch []byte) (*protocol.RecordSet, []rec, error) {
	sized := binary.BigEndian.AppendUint32(nil, uint32(len(batch)))
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(append(sized, batch...))); err != nil {
		return nil, nil, err
	}
	var all []rec
	for {
		v, err := set.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return &set, all, nil
		}
		if err != nil {
			return nil, nil, err
		}
		one := rec{timestamp: v.Time.UnixMilli()}
		if one.key, err = protocol.ReadAll(v.Key); err != nil {
			return nil, nil, err
		}
		if one.value, err = protocol.ReadAll(v.Value); err != nil {
			return nil, nil, err
		}
		for _, h := range v.Headers {
			one.headers = append(one.headers, RecordHeader{[]byte(h.Key), h.Value})
		}
		all = append(all, one)
	}
}

// withoutNil makes what the other implementation does not tell apart the same: it
// reads an empty header as none.
func withoutNil(records []rec) []rec {
	for i := range records {
		for j := range records[i].headers {
			h := &records[i].headers[j]
			h.Value = append([]byte{}, h.Value...)
		}
	}
	return records
}

func TestAnotherImplementationReadsTheSame(t *testing.T) {
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			b, err := NewBuilder(codec)
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				want := someRecords().Draw(t, "records")
				batch, err := encode(b, nil, want)
				if err != nil {
					t.Fatal(err)
				}
				sent := make([]byte, HeaderLen)
				Patch{ProducerID: 7, Epoch: 2, Sequence: 40, BaseTimestamp: testTime, MaxTimestamp: testTime}.Apply(sent, batch)
				for _, batch := range [][]byte{batch, append(sent, batch[HeaderLen:]...)} {
					_, got, err := foreignRecords(batch)
					if err != nil {
						t.Fatal(err)
					}
					wantRecords(t, withoutNil(got), withoutNil(want))
				}
			})
		})
	}
}

// TestWhatAnotherImplementationWritesIsRead turns the comparison round.
func TestWhatAnotherImplementationWritesIsRead(t *testing.T) {
	lines := logLines(1000)
	for _, codec := range codecs {
		t.Run(codec.String(), func(t *testing.T) {
			records := make([]protocol.Record, len(lines))
			for i, line := range lines {
				records[i] = protocol.Record{Key: protocol.NewBytes([]byte("key")), Value: protocol.NewBytes(line)}
			}
			set := protocol.RecordSet{Version: 2, Attributes: protocol.Attributes(codec), Records: protocol.NewRecordReader(records...)}
			var out bytes.Buffer
			if _, err := set.WriteTo(&out); err != nil {
				t.Fatal(err)
			}
			batch := out.Bytes()[4:]
			if err := Verify(batch); err != nil {
				t.Fatal(err)
			}
			var r Reader
			got, err := decode(&r, batch)
			if err != nil {
				t.Fatal(err)
			}
			if r.Header().Codec() != codec || len(got) != len(lines) {
				t.Fatalf("%v, %d records", r.Header().Codec(), len(got))
			}
			for i, line := range lines {
				if string(got[i].key) != "key" || !bytes.Equal(got[i].value, line) {
					t.Fatalf("record %d is %q: %q", i, got[i].key, got[i].value)
				}
			}
		})
	}
}

func TestAnotherImplementationSeesAControlBatch(t *testing.T) {
	set, _, err := foreignRecords(AppendControl(nil, 100, testTime, []byte("mark")))
	if err != nil {
		t.Fatal(err)
	}
	if !set.Attributes.Control() {
		t.Fatalf("attributes %v", set.Attributes)
	}
}

// TestGoldenBytes holds the format to the letter, field by field.
func TestGoldenBytes(t *testing.T) {
	b, err := NewBuilder(None)
	if err != nil {
		t.Fatal(err)
	}
	b.Reset(5, testTime)
	b.Close(append(b.Open(), "first"...), nil)
	b.CloseAt(append(b.Open(), "second"...), []byte("k"), testTime+3, RecordHeader{[]byte("h"), []byte("v")}, RecordHeader{Key: []byte("n")})
	batch, err := b.Finish(nil)
	if err != nil {
		t.Fatal(err)
	}
	SetBaseOffset(batch, 0x0102)
	golden := strings.Fields(`
		0000000000000102 baseOffset
		00000052         batchLength
		00000000         partitionLeaderEpoch
		02               magic
		52e56343         crc
		0000             attributes
		00000001         lastOffsetDelta
		0000018bcfe56800 baseTimestamp
		0000018bcfe56803 maxTimestamp
		ffffffffffffffff producerId
		0005             producerEpoch
		ffffffff         baseSequence
		00000002         recordsCount

		16               length
		00               attributes
		00               timestampDelta
		00               offsetDelta
		01               keyLength
		0a               valueLength
		6669727374       value
		00               headersCount

		28               length
		00               attributes
		06               timestampDelta
		02               offsetDelta
		02               keyLength
		6b               key
		0c               valueLength
		7365636f6e64     value
		04               headersCount
		02 headerKeyLength  68 headerKey  02 headerValueLength  76 headerValue
		02 headerKeyLength  6e headerKey  01 headerValueLength`)
	var want []byte
	for i := 0; i < len(golden); i += 2 {
		field, err := hex.DecodeString(golden[i])
		if err != nil {
			t.Fatal(golden[i], err)
		}
		want = append(want, field...)
	}
	if !bytes.Equal(batch, want) {
		t.Fatalf("\n%x, want\n%x", batch, want)
	}
}
