// Package recordbatch builds and reads Kafka's record batches, version 2: bytes in,
// bytes out, no files. The spool stores its records in this format, so that they
// are encoded and compressed once, a Kafka broker takes the stored bytes as they
// are, and Kafka's own tools read a spool. The format is Kafka's: its protocol
// guide, "Record Batch", and KIP-98, which introduced it, say the same in their
// words.
//
// # Batch
//
// Numbers are big-endian and signed, unless it says otherwise. A batch begins with
// a header of [HeaderLen] bytes:
//
//	at  bytes
//	 0  8  baseOffset            the offset of the first record
//	 8  4  batchLength           the bytes of the batch after this field: its size less 12
//	12  4  partitionLeaderEpoch  a broker's own business; 0 in a spool
//	16  1  magic                 2, the version of the format
//	17  4  crc                   unsigned: CRC-32C (Castagnoli) of everything from attributes to the end
//	21  2  attributes            see below
//	23  4  lastOffsetDelta       the last record's offset less baseOffset: recordsCount - 1
//	27  8  baseTimestamp         Unix milliseconds; the records' timestamps count from here
//	35  8  maxTimestamp          Unix milliseconds; the latest of the records
//	43  8  producerId            -1 in a spool: no producer yet
//	51  2  producerEpoch         in a spool the lane, 0 or more; -1 in a control batch
//	53  4  baseSequence          -1 in a spool: no sequence yet
//	57  4  recordsCount          at least 1
//	61  …  records               compressed as a whole if attributes say so
//
// Attributes, from the lowest bit: 0 to 2 the [Codec], 3 the type of timestamp
// (0, the producer's; 1, in topics, the broker's), 4 transactional, 5 control batch, 6 and up unused
// here.
//
// Why the fields stand as they do:
//
//   - baseOffset, batchLength, partitionLeaderEpoch and magic are outside the checksum. Whoever appends a batch to a log gives it its offset with [SetBaseOffset] and need not read the rest again. For the same reason the checksum says nothing about them: a reader knows which offset must come, and a wrong batchLength or magic makes the checksum fail or the batch unreadable.
//   - The lane tells which of a pipeline's encodings the records have. producerEpoch is inside the checksum, is two bytes, and has no meaning without a producerId, so no tool trips over it; a sender puts the real epoch in its place.
//   - lastOffsetDelta and recordsCount say the same. They differ only in topics that Kafka has compacted, which a spool is not, so here they must agree, and every record's offsetDelta must be its place in the batch. [Reader.ResetTopic] reads batches of topics, and takes gaps.
//
// # Record
//
// Uncompressed, a batch's records stand one behind the other. Varints are zigzag
// varints as those of Protocol Buffers: seven bits a byte, the lowest first, the
// top bit set on all but the last. They are short for the small numbers of which a
// record is made, and can say -1.
//
//	length          varint   the bytes of the record after this field
//	attributes      1 byte   0: no bit is defined
//	timestampDelta  varint   milliseconds after baseTimestamp, up to 64 bits
//	offsetDelta     varint   0 for the first record, then one more each
//	keyLength       varint   -1: no key
//	key
//	valueLength     varint   -1: no value
//	value
//	headersCount    varint
//	headers                  each: length of the key, key, length of the value (-1: none), value
//
// timestampDelta is 0 unless a lane carries the records' own times: brokers measure
// by the batch's time how long they remember its producer.
//
// # Compression
//
// Only the records are compressed, as one block, so the header of a stored batch can
// be read and replaced without touching them:
//
//	0  none
//	1  gzip    RFC 1952
//	2  snappy  in the framing of the xerial library for Java, not bare: the 16 bytes
//	           82 "SNAPPY" 00 00000001 00000001, then blocks of at most 32 KiB before
//	           compression, each behind its compressed length in four bytes; bare
//	           snappy, which other clients write to topics, is read as well
//	3  lz4     the LZ4 frame format, independent blocks, no checksums but the header's
//	4  zstd    RFC 8878, window of 512 KiB, no checksum
//
// The codecs' own checksums are left out: crc covers the compressed bytes.
// What decompresses to more than [MaxUncompressed] is refused.
//
// # Control batch
//
// With bit 5 set the records are for the log itself, and consumers do not see them;
// they take offsets all the same. A control batch is not compressed, and every
// record's key is
//
//	0  2  version  0
//	2  2  type     0 and 1 are Kafka's abort and commit; a spool's marks are 100
//
// Kafka's tools pass over types that they do not know. The value is the type's own
// affair.
//
// # Sending
//
// A producer replaces header fields only ([Patch]): baseOffset 0, producerId,
// producerEpoch, baseSequence, the transactional bit, both timestamps, and crc with
// them.
package recordbatch
