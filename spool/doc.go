// Package spool is the durable buffer of a pipeline: an append-only log of Kafka
// v2 record batches with many cursors over it.
//
// # Files
//
//	<dir>/00000000000000000000.log      a segment, named by the offset at which it begins
//	<dir>/00000000000000004711-1.log    the same, written again after a failed sync: generation 1
//	<dir>/outputs/<output>.<n>.journal  an output's cursor; the highest whole n counts
//	<dir>/ballast                       given up on a full disk, so that cursors can be written
//	<dir>/quarantine/                   bytes that could not be read, kept aside
//	<dir>/checkpoints.<n>.journal       of a spool in memory: source positions
//
// A segment ends where the next one begins. Of several with one base the highest
// generation counts.
//
// # Segments
//
// A segment is nothing but record batches (package recordbatch says how they look,
// byte by byte), so Kafka's own tools read it. Offsets have no gaps within a
// segment, which is how a damaged base offset is told: it stands outside the
// checksum. There are two kinds of batches:
//
//   - Data frames hold encoded records. Their producer epoch is the number of the lane: the encoding and seal that the records have. Each record takes an offset.
//   - Marks are control batches of type 100, of usually one record. They take offsets too.
//
// An append is one write: the frames of a group, then the mark that commits them.
// What no mark follows does not count.
//
// # Marks
//
// The value of a mark, joined over its records, is a version byte (1), a kind byte,
// and entries: tag and length as unsigned varints, then the body. Numbers in bodies
// are zigzag varints unless they count something that follows; texts have their
// length before them.
//
//	kind 0  delta: what changed
//	kind 1  opening: everything; the first batch of each segment
//
//	tag 1  source: key, offset, state, records, bytes, cut, lost, seen (Unix seconds)
//	tag 2  account of the pipeline, cumulative: read, generated, recovered, appended, merged, filtered, dropped by reason
//	tag 3  everything before this offset was synced when the mark was made
//	tag 4  lane: number (unsigned), records ever appended to it, fingerprint of the encoding
//	tag 5  output: id, acknowledged offset, spans (from offset, lane, lane's records then, records routed before), counts (acknowledged, dead-lettered, dropped)
//	tag 6  dead letter: output, offset of the refused record; it is in the spool
//	tag 7  boot id of the machine, as plain text
//	tag 8  the opening counts only if the segment's marks reach this offset
//
// Unknown tags are passed over. A higher version is [ErrNewer], which is not damage:
// nothing is touched then.
//
// An opening makes its segment readable without the ones before it, so that opening
// a spool reads the last segment only. An opening is at most a sixteenth of its
// segment: a segment is longer if need be.
//
// # Journals
//
// A record is its length and its CRC-32C, both 32-bit big-endian, over what follows:
// a type byte and a body of varints.
//
//	type 1  snapshot, the first of every journal: frontier, counts, acknowledged ranges behind the frontier, staged frames, latest acknowledged stagings
//	type 2  stage: offset, end, checksum of the frame, the output's note
//	type 3  acknowledgement: offset, end, frontier, counts
//	type 4  the frontier and the counts
//
// A torn end is cut off. A journal that has grown is written anew as a snapshot,
// under the next number, whole and synced before the old one goes, since the file
// layer cannot rename.
//
// # What is assumed of disks
//
// A sync that succeeds makes durable what was written to that file before. Without
// it, any part of what was written may be there after a power cut, in any order and
// in blocks, and a file's name may be missing until its folder is synced. A sync
// that fails may have lost what it should have written, for good: it is never
// repeated on the same file. Bytes may rot. A kill of the process loses nothing
// that was written.
//
// # After a crash
//
// After a kill everything up to the last whole mark counts; what follows is cut.
// After a power cut, or where a failed sync has torn a hole, what lies behind the
// last offset known to be synced counts up to the first bad frame; the rest is cut,
// positions included, so that the sources read it again. What was cut may have been
// sent: appends therefore go on at the next multiple of 2^40, and no offset stands
// for two records. After any new boot that did not follow an orderly end they do so
// too, since a cut that fell between two batches leaves no trace.
//
// Bad bytes in what had been synced are kept aside in the quarantine and skipped by
// the cursors that come to them. A segment without a readable opening is kept
// aside; the one before it says where to go on. Nothing stops the start but a
// newer format and a disk that cannot be read or written at all.
//
// # Goroutines
//
// The appender holds the turn while it writes, and owns the writer. The syncer
// syncs, the keeper deletes and restores. Each cursor's journal is written under
// the cursor's own turn. The mutex guards what they share, and is not held during
// I/O, but for rare looks at an opening.
package spool
