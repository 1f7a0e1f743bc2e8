package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spillway/spillway/spool/vfs"
)

// journalBytes is the size at which a journal is written anew as a snapshot, unless
// the snapshot is more than half of it.
const journalBytes = 1 << 20

// Types of journal records.
const (
	jrSnapshot = 1 // a whole cursor; the first record of every journal
	jrStage    = 2
	jrAck      = 3
	jrAdvance  = 4 // the frontier and the counts
	jrDefer    = 5 // like jrStage, of frames in a row that are not out
)

// journalVersion is the version of a journal, the first byte of its snapshot.
const journalVersion = 1

// journalHeader is what stands before a record: its length and its CRC-32C, both
// u32 big-endian, of the type byte and the body.
const journalHeader = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errNoJournal says that an output has no journal.
var errNoJournal = errors.New("spool: no journal")

// journalRecord is a record on its way into a journal.
type journalRecord struct {
	typ  byte
	body []byte
}

// journal is the file of one cursor.
type journal struct {
	fs   vfs.FS
	dir  string
	id   string
	n    int
	name string
	file vfs.File
	size int64
	// full is the size at which it is written anew: its snapshot may be long.
	full int64
	buf  []byte
	// dirty says that something was written since the last sync.
	dirty bool
	// failed is the error of a sync: the file may have lost what it should hold.
	failed error
	// debris is the name of a journal that must go.
	debris string
	// older are journals that this one stands for; unreadable are those that
	// cannot be read.
	older, unreadable []string
}

func journalName(id string, n int) string { return fmt.Sprintf("%s.%d.journal", id, n) }

// parseJournalName takes a file name apart; ok is false for other files.
func parseJournalName(name string) (id string, n int, ok bool) {
	stem, isJournal := strings.CutSuffix(name, ".journal")
	id, number, has := strings.Cut(stem, ".")
	n, err := strconv.Atoi(number)
	return id, n, isJournal && has && err == nil
}

// readCursors reads the journals in dir, by output. Those that cannot be read are
// left out.
func readCursors(fs vfs.FS, dir string) (map[string]*Cursor, error) {
	entries, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	cursors := map[string]*Cursor{}
	for _, e := range entries {
		id, _, ok := parseJournalName(e.Name)
		if !ok || cursors[id] != nil {
			continue
		}
		c := &Cursor{out: &outputState{}}
		j, err := findJournal(fs, dir, id, c.replay)
		switch {
		case errors.Is(err, errNoJournal):
			continue
		case err != nil:
			return nil, err
		}
		_ = j.file.Close()
		cursors[id] = c
	}
	return cursors, nil
}

// openJournal opens the journal of id, gives its records to apply, and cuts a torn
// end off. Without one, errNoJournal, the journal is made by the first snapshot.
func openJournal(fs vfs.FS, dir, id string, apply func(typ byte, body []byte) error) (*journal, error) {
	j, err := findJournal(fs, dir, id, apply)
	if err != nil {
		return j, err
	}
	for _, name := range j.older {
		// Where it stays, the next start tries again.
		_ = fs.Remove(name)
	}
	if j.file.Truncate(j.size) != nil {
		// Behind what stands there nothing may be written.
		_ = j.file.Close()
		j.file = nil
	}
	return j, nil
}

// findJournal opens the newest journal of id whose snapshot is whole. What cannot be
// read is passed over: a crash may have left it, or damage.
func findJournal(fs vfs.FS, dir, id string, apply func(typ byte, body []byte) error) (*journal, error) {
	j := &journal{fs: fs, dir: dir, id: id, full: journalBytes}
	entries, err := fs.List(dir)
	if err != nil {
		return j, err
	}
	var found []int
	for _, e := range entries {
		if who, n, ok := parseJournalName(e.Name); ok && who == id {
			found = append(found, n)
			j.n = max(j.n, n)
		}
	}
	slices.Sort(found)
	for i, n := range slices.Backward(found) {
		name := filepath.Join(dir, journalName(id, n))
		f, err := fs.Open(name)
		if err != nil {
			continue
		}
		size, err := readJournal(f, apply)
		if err == nil && size > 0 {
			j.file, j.size, j.name = f, size, name
			for _, o := range found[:i] {
				j.older = append(j.older, filepath.Join(dir, journalName(id, o)))
			}
			return j, nil
		}
		_ = f.Close()
		if errors.Is(err, ErrNewer) {
			return j, fmt.Errorf("%s: %w", name, err)
		}
		j.unreadable = append(j.unreadable, name)
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
		typ, body := body[0], body[1:]
		if at == 0 && (typ != jrSnapshot || len(body) == 0) {
			break
		}
		if typ == jrSnapshot {
			if body[0] > journalVersion {
				return 0, fmt.Errorf("%w: journal of version %d, this one knows %d", ErrNewer, body[0], journalVersion)
			}
			body = body[1:]
		}
		if err := apply(typ, body); err != nil {
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
	if err := j.sweep(); err != nil {
		return err
	}
	j.buf = appendJournalRecord(j.buf[:0], typ, body)
	n, err := j.file.Writev([][]byte{j.buf}, j.size)
	if err == nil && n < len(j.buf) {
		err = fmt.Errorf("journal of %s: wrote %d of %d bytes", j.id, n, len(j.buf))
	}
	if err != nil {
		return errors.Join(err, j.file.Truncate(j.size))
	}
	j.size += int64(n)
	j.dirty = true
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
	if err := j.sweep(); err != nil {
		return err
	}
	var f vfs.File
	err := iofs.ErrExist
	for errors.Is(err, iofs.ErrExist) {
		j.n++
		f, err = j.fs.Create(filepath.Join(j.dir, journalName(j.id, j.n)))
	}
	if err != nil {
		return err
	}
	name := filepath.Join(j.dir, journalName(j.id, j.n))
	b := appendJournalRecord(nil, jrSnapshot, append([]byte{journalVersion}, snapshot...))
	n, err := f.Writev([][]byte{b}, 0)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err == nil {
		err = errors.Join(f.Sync(), j.fs.SyncDir(j.dir))
	}
	if err != nil {
		j.debris = name
		return errors.Join(err, f.Close(), j.sweep())
	}
	if j.file != nil {
		// Where the old one stays, the next start removes it.
		_, _ = j.file.Close(), j.fs.Remove(j.name)
	}
	j.file, j.size, j.name, j.dirty, j.failed = f, int64(len(b)), name, false, nil
	j.full = max(journalBytes, 2*j.size)
	return nil
}

// sweep removes a journal that could not be finished: a start would take it for the
// newest. Nothing is written while it is there.
func (j *journal) sweep() error {
	if j.debris == "" {
		return nil
	}
	if err := j.fs.Remove(j.debris); err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return err
	}
	j.debris = ""
	return nil
}

// sync makes what was written durable.
func (j *journal) sync() error {
	if j.dirty && j.failed == nil {
		j.failed = j.file.Sync()
		j.dirty = j.failed != nil
	}
	return j.failed
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.sync(), j.file.Close())
	j.file = nil
	return err
}
