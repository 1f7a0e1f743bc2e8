package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// HeaderLen is the length of a batch's header, in bytes.
const HeaderLen = 61

// Offsets of the header's fields.
const (
	atBaseOffset      = 0
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atBaseTimestamp   = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atCount           = 57
)

// lengthBase is what stands before the part of a batch that its length counts.
const lengthBase = atLeaderEpoch

const (
	attrCodec         = 0x07
	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

const magic = 2

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	// ErrShort says that more bytes are needed to tell.
	ErrShort = errors.New("recordbatch: too short")
	// ErrCorrupt says that the bytes are no record batch, or a damaged one.
	ErrCorrupt = errors.New("recordbatch: corrupt")
)

// VersionError says that the batch has a newer format than this build knows. It is
// not damage: a newer build reads it.
type VersionError struct{ Magic int8 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("recordbatch: format %d is newer than %d", e.Magic, magic)
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// Header is what stands before the records; the package comment says what the
// fields mean.
type Header struct {
	BaseOffset                  int64
	Length                      int32
	LeaderEpoch                 int32
	CRC                         uint32
	Attributes                  int16
	LastOffsetDelta             int32
	BaseTimestamp, MaxTimestamp int64
	ProducerID                  int64
	ProducerEpoch               int16
	BaseSequence                int32
	Count                       int32
}

// Codec is how the records are compressed.
func (h Header) Codec() Codec { return Codec(h.Attributes & attrCodec) }

// AppendTime says that the records' time is MaxTimestamp, when the broker got them,
// whatever their own says.
func (h Header) AppendTime() bool { return h.Attributes&attrAppendTime != 0 }

// Transactional says that the records belong to a transaction of their producer.
func (h Header) Transactional() bool { return h.Attributes&attrTransactional != 0 }

// Control says that the records are for the log itself.
func (h Header) Control() bool { return h.Attributes&attrControl != 0 }

// Size is the length of the whole batch in bytes.
func (h Header) Size() int { return lengthBase + int(h.Length) }

// NextOffset is the offset after the batch's last record.
func (h Header) NextOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) + 1 }

// ParseHeader reads the header at the beginning of b, without looking at the
// records or the checksum. The error is [ErrShort] if b is too short to tell, a
// [*VersionError] for a newer format, and wraps [ErrCorrupt] for anything else that
// is no batch.
func ParseHeader(b []byte) (Header, error) {
	h, err := ParseTopicHeader(b)
	if err == nil && h.LastOffsetDelta+1 != h.Count {
		return Header{}, corrupt("count %d does not go with last offset delta %d", h.Count, h.LastOffsetDelta)
	}
	return h, err
}

// ParseTopicHeader is [ParseHeader] for a batch out of a topic: compaction takes
// records out of a batch, even all, and leaves its offsets as they were. The batch may
// be cut off behind its header.
func ParseTopicHeader(b []byte) (Header, error) {
	if len(b) > atMagic && int8(b[atMagic]) > magic {
		return Header{}, &VersionError{int8(b[atMagic])}
	}
	if len(b) < HeaderLen {
		return Header{}, ErrShort
	}
	if b[atMagic] != magic {
		return Header{}, corrupt("format %d", int8(b[atMagic]))
	}
	h := Header{
		BaseOffset:      int64(binary.BigEndian.Uint64(b[atBaseOffset:])),
		Length:          int32(binary.BigEndian.Uint32(b[atLength:])),
		LeaderEpoch:     int32(binary.BigEndian.Uint32(b[atLeaderEpoch:])),
		CRC:             binary.BigEndian.Uint32(b[atCRC:]),
		Attributes:      int16(binary.BigEndian.Uint16(b[atAttributes:])),
		LastOffsetDelta: int32(binary.BigEndian.Uint32(b[atLastOffsetDelta:])),
		BaseTimestamp:   int64(binary.BigEndian.Uint64(b[atBaseTimestamp:])),
		MaxTimestamp:    int64(binary.BigEndian.Uint64(b[atMaxTimestamp:])),
		ProducerID:      int64(binary.BigEndian.Uint64(b[atProducerID:])),
		ProducerEpoch:   int16(binary.BigEndian.Uint16(b[atProducerEpoch:])),
		BaseSequence:    int32(binary.BigEndian.Uint32(b[atBaseSequence:])),
		Count:           int32(binary.BigEndian.Uint32(b[atCount:])),
	}
	switch {
	case h.Length < HeaderLen-lengthBase:
		return Header{}, corrupt("length %d is less than a header's", h.Length)
	case h.Codec() > Zstd:
		return Header{}, corrupt("compression %d", h.Codec())
	case h.Count < 0 || h.LastOffsetDelta < 0 || int64(h.Count) > int64(h.LastOffsetDelta)+1:
		return Header{}, corrupt("count %d does not go with last offset delta %d", h.Count, h.LastOffsetDelta)
	case h.BaseOffset < 0 || h.BaseOffset >= math.MaxInt64-int64(h.LastOffsetDelta):
		return Header{}, corrupt("base offset %d", h.BaseOffset)
	}
	return h, nil
}
