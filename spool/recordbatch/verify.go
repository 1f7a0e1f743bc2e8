package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
)

// Verify checks that batch is one whole record batch, with nothing behind it and a
// right checksum. It does not look into the records: what has the right checksum
// and was built wrongly is told by [Reader]. The errors are those of [ParseHeader].
func Verify(batch []byte) error {
	h, err := ParseHeader(batch)
	if err != nil {
		return err
	}
	switch {
	case len(batch) < h.Size():
		return ErrShort
	case len(batch) > h.Size():
		return corrupt("%d bytes behind a batch of %d", len(batch)-h.Size(), h.Size())
	}
	if sum := crc32.Checksum(batch[atAttributes:], castagnoli); sum != h.CRC {
		return corrupt("checksum %08x, want %08x", sum, h.CRC)
	}
	return nil
}

// SetBaseOffset gives the batch its place in the log. The checksum does not cover
// it.
func SetBaseOffset(batch []byte, offset int64) {
	binary.BigEndian.PutUint64(batch[atBaseOffset:], uint64(offset))
}

// Patch is what a producer changes in a stored batch before it sends it.
type Patch struct {
	ProducerID    int64
	Epoch         int16
	Sequence      int32
	Transactional bool
	// BaseTimestamp and MaxTimestamp are in Unix milliseconds.
	BaseTimestamp, MaxTimestamp int64
}

// Apply writes into dst, of [HeaderLen] bytes, the header under which the records
// of batch are sent: base offset 0, the patch, and the checksum of both. batch is
// only read, and may be sent behind dst from [HeaderLen] on.
func (p Patch) Apply(dst, batch []byte) {
	dst = dst[:HeaderLen]
	copy(dst, batch[:HeaderLen])
	SetBaseOffset(dst, 0)
	binary.BigEndian.PutUint32(dst[atLeaderEpoch:], 0)
	attributes := binary.BigEndian.Uint16(batch[atAttributes:]) &^ attrTransactional
	if p.Transactional {
		attributes |= attrTransactional
	}
	binary.BigEndian.PutUint16(dst[atAttributes:], attributes)
	binary.BigEndian.PutUint64(dst[atBaseTimestamp:], uint64(p.BaseTimestamp))
	binary.BigEndian.PutUint64(dst[atMaxTimestamp:], uint64(p.MaxTimestamp))
	binary.BigEndian.PutUint64(dst[atProducerID:], uint64(p.ProducerID))
	binary.BigEndian.PutUint16(dst[atProducerEpoch:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(dst[atBaseSequence:], uint32(p.Sequence))
	sum := crc32.Checksum(dst[atAttributes:], castagnoli)
	binary.BigEndian.PutUint32(dst[atCRC:], crc32.Update(sum, castagnoli, batch[HeaderLen:]))
}
