package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spillway/spillway/spool/vfs"
)

// journalBytes is the size at which a journal is written anew as a snapshot.
const journalBytes = 1 << 20

// Types of journal records.
const (
	jrSnapshot = 1 // a whole cursor; the first record of every journal
	jrStage    = 2
	jrAck      = 3
	jrAdvance  = 4 // the frontier and the counts
)

// journalHeader is what stands before a record: its length and its CRC-32C, both
// u32 big-endian, of the type byte and the body.
const journalHeader = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errNoJournal says that an output has no journal.
var errNoJournal = errors.New("spool: no journal")

// journal is the file of one cursor.
type journal struct {
	fs   vfs.FS
	dir  string
	id   string
	n    int
	name string
	file vfs.File
	size int64
	sync bool
	buf  []byte
}

func journalName(id string, n int) string { return fmt.Sprintf("%s.%d.journal", id, n) }

// openJournal opens the newest journal of id whose snapshot is whole, and gives
// its records to apply. A torn end is cut off.
func openJournal(fs vfs.FS, dir, id string, apply func(typ byte, body []byte) error) (*journal, error) {
	entries, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var found []int
	for _, e := range entries {
		stem, ok := strings.CutSuffix(e.Name, ".journal")
		who, number, has := strings.Cut(stem, ".")
		if n, err := strconv.Atoi(number); ok && has && who == id && err == nil {
			found = append(found, n)
		}
	}
	slices.Sort(found)
	j := &journal{fs: fs, dir: dir, id: id}
	if len(found) > 0 {
		j.n = found[len(found)-1]
	}
	for _, n := range slices.Backward(found) {
		path := filepath.Join(dir, journalName(id, n))
		f, err := fs.Open(path)
		if err != nil {
			return j, err
		}
		size, err := readJournal(f, apply)
		if err == nil && size > 0 {
			j.file, j.size, j.name = f, size, path
			return j, f.Truncate(size)
		}
		if closeErr := f.Close(); err != nil || closeErr != nil {
			return j, errors.Join(err, closeErr)
		}
	}
	return j, errNoJournal
}

// readJournal gives all whole records to apply and returns where they end. It is
// 0 if the first is no snapshot.
func readJournal(f vfs.File, apply func(typ byte, body []byte) error) (int64, error) {
	data, err := readAll(f)
	if err != nil {
		return 0, err
	}
	at := 0
	for {
		rest := data[at:]
		if len(rest) < journalHeader+1 {
			break
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n < 1 || n > len(rest)-journalHeader {
			break
		}
		body := rest[journalHeader : journalHeader+n]
		if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(rest[4:]) {
			break
		}
		if at == 0 && body[0] != jrSnapshot {
			break
		}
		if err := apply(body[0], body[1:]); err != nil {
			break
		}
		at += journalHeader + n
	}
	return int64(at), nil
}

func readAll(f vfs.File) ([]byte, error) {
	var data []byte
	for {
		data = slices.Grow(data, 64<<10)
		n, err := f.ReadAt(data[len(data):cap(data)], int64(len(data)))
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// add appends a record.
func (j *journal) add(typ byte, body []byte) error {
	j.buf = appendJournalRecord(j.buf[:0], typ, body)
	n, err := j.file.Writev([][]byte{j.buf}, j.size)
	if err == nil && n < len(j.buf) {
		err = fmt.Errorf("journal of %s: wrote %d of %d bytes", j.id, n, len(j.buf))
	}
	if err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(n)
	if j.sync {
		return j.file.Sync()
	}
	return nil
}

func appendJournalRecord(b []byte, typ byte, body []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, typ)
	b = append(b, body...)
	binary.BigEndian.PutUint32(b[at:], uint32(len(body)+1))
	binary.BigEndian.PutUint32(b[at+4:], crc32.Checksum(b[at+journalHeader:], castagnoli))
	return b
}

// compact begins a new journal with a snapshot, whole and synced before the old
// one goes, since the file layer cannot rename.
func (j *journal) compact(snapshot []byte) error {
	for {
		j.n++
		name := filepath.Join(j.dir, journalName(j.id, j.n))
		f, err := j.fs.Create(name)
		if isExist(err) {
			continue
		}
		if err != nil {
			return err
		}
		b := appendJournalRecord(nil, jrSnapshot, snapshot)
		if n, err := f.Writev([][]byte{b}, 0); err != nil || n < len(b) {
			return errors.Join(err, f.Close(), j.fs.Remove(name))
		}
		if err := errors.Join(f.Sync(), j.fs.SyncDir(j.dir)); err != nil {
			return errors.Join(err, f.Close(), j.fs.Remove(name))
		}
		old, oldFile := j.name, j.file
		j.file, j.size, j.name = f, int64(journalHeader+1+len(snapshot)), name
		if oldFile == nil {
			return nil
		}
		return errors.Join(oldFile.Close(), j.fs.Remove(old))
	}
}

func (j *journal) close() error {
	if j == nil || j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Sync(), j.file.Close())
	j.file = nil
	return err
}
