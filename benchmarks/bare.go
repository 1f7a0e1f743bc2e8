package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"golang.org/x/sys/unix"
)

// The bare loop: what is left of a shipper when everything but the work is taken away. Two goroutines take turns: one
// reads a block and passes the turn to read on, does the work on its lines, waits for its turn to send, writes the
// block to the spool where the scenario has one, and sends it. Neither ever waits for the other's work, only for its
// order. There are no records, no positions, no retries and no recovery.
//
// This file, scan.go and combined.go are the yardstick: they are left alone once measured.

// bareBlock is how much is read at once, in bytes: two blocks and their output stay within a second-level cache of 1 MiB.
const bareBlock = 256 << 10

type bareOptions struct {
	scenario string
	input    string
	address  string // of the sink
	spool    string // file; used by s3 only
	follow   bool   // wait for more at the end instead of ending
}

func bareMain(ctx context.Context, args []string, stderr io.Writer) error {
	var o bareOptions
	var dir string
	fs := flag.NewFlagSet("bare", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.scenario, "scenario", "s1", "s1, s2, s3 or s4")
	fs.StringVar(&o.input, "input", "", "file to read")
	fs.StringVar(&o.address, "address", "", "host:port to send to")
	fs.StringVar(&dir, "dir", ".", "folder for the spool file")
	fs.BoolVar(&o.follow, "follow", false, "wait for more at the end of the file")
	if err := fs.Parse(args); err != nil {
		return usageError{err}
	}
	o.spool = filepath.Join(dir, "bare.spool")
	return runBare(ctx, o)
}

// runBare ships the input and returns when all of it has been written to the sink's socket; with follow, when ctx ends.
func runBare(ctx context.Context, o bareOptions) error {
	work, err := bareWork(o.scenario)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", o.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	src, err := openBlocks(o.input, o.follow)
	if err != nil {
		return err
	}
	defer src.close()
	// A blocked read or send is ended by taking its descriptor away.
	defer context.AfterFunc(ctx, func() { src.close(); conn.Close() })()

	var spool *bareSpool
	if o.scenario == "s3" {
		if spool, err = createBareSpool(o.spool); err != nil {
			return err
		}
		defer spool.close()
	}
	// Each turn is a token in a channel of one; a worker hands it to the other one, and closes what it will not hand on.
	var read, send [2]chan struct{}
	for i := range 2 {
		read[i], send[i] = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	read[0] <- struct{}{}
	send[0] <- struct{}{}
	var errs [2]error
	var both sync.WaitGroup
	for i := range 2 {
		both.Go(func() {
			w := bareWorker{src: src, conn: conn, spool: spool, work: work()}
			errs[i] = w.run(read[i], read[1-i], send[i], send[1-i])
			close(read[1-i])
			close(send[1-i])
		})
	}
	both.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return errors.Join(errs[0], errs[1])
}

// A bareWorker is one of the two goroutines' own state.
type bareWorker struct {
	src   *blockReader
	conn  net.Conn
	spool *bareSpool
	work  func(dst, line []byte) []byte

	in, out, packed []byte
}

// run takes turns until the input has ended, or the other worker has.
func (w *bareWorker) run(mayRead <-chan struct{}, nextReads chan<- struct{}, maySend <-chan struct{}, nextSends chan<- struct{}) error {
	w.in = make([]byte, bareBlock)
	for {
		if _, ok := <-mayRead; !ok {
			return nil
		}
		block, err := w.src.next(w.in)
		if err != nil || len(block) == 0 {
			return err
		}
		nextReads <- struct{}{}

		w.out = w.out[:0]
		for len(block) > 0 {
			end := bytes.IndexByte(block, '\n')
			if end < 0 {
				end = len(block)
			}
			w.out = append(w.work(w.out, block[:end]), '\n')
			block = block[min(end+1, len(block)):]
		}
		if w.spool != nil {
			w.packed = appendSpoolBlock(w.packed[:0], w.out)
		}

		if _, ok := <-maySend; !ok {
			return nil
		}
		if w.spool != nil {
			if err := w.spool.write(w.packed); err != nil {
				return err
			}
		}
		if _, err := w.conn.Write(w.out); err != nil {
			return err
		}
		nextSends <- struct{}{}
	}
}

// bareWork returns a maker of what is done to each line; what it makes belongs to one goroutine.
func bareWork(scenario string) (func() func(dst, line []byte) []byte, error) {
	switch scenario {
	case "s1":
		return func() func(dst, line []byte) []byte {
			return func(dst, line []byte) []byte { return append(dst, line...) }
		}, nil
	case "s2", "s3":
		return func() func(dst, line []byte) []byte {
			s := new(scanner)
			return s.appendWithHost
		}, nil
	case "s4":
		return func() func(dst, line []byte) []byte {
			c := new(combinedLine)
			return func(dst, line []byte) []byte {
				if !c.split(line) {
					return append(dst, line...)
				}
				return c.appendJSON(dst)
			}
		}, nil
	default:
		return nil, usagef("the bare loop has no scenario %q", scenario)
	}
}

// appendWithHost appends line with a member host added. What is not a JSON object, or has such a member already, is
// appended as it is.
func (s *scanner) appendWithHost(dst, line []byte) []byte {
	brace, ok := s.scan(line)
	if !ok || s.has(line, "host") {
		return append(dst, line...)
	}
	dst = append(dst, line[:brace]...)
	if len(s.members) > 0 {
		dst = append(dst, ',')
	}
	return append(dst, `"host":"bench"}`...)
}

// A blockReader reads a file in blocks of whole lines. One goroutine at a time may use it.
type blockReader struct {
	file   *os.File
	offset int64
	more   *os.File // inotify descriptor where the file is followed, else nil
}

func openBlocks(path string, follow bool) (*blockReader, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	r := &blockReader{file: file}
	if follow {
		fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("inotify: %w", err)
		}
		r.more = os.NewFile(uintptr(fd), "inotify")
		if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
			r.close()
			return nil, fmt.Errorf("inotify watch of %s: %w", path, err)
		}
	}
	return r, nil
}

func (r *blockReader) close() {
	r.file.Close()
	if r.more != nil {
		r.more.Close()
	}
}

// next reads whole lines into buf, at least one, and waits for them where the file is followed. At the end it returns
// what is left, even without a newline, and then nothing.
func (r *blockReader) next(buf []byte) ([]byte, error) {
	for {
		n, err := r.file.ReadAt(buf, r.offset)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if end := bytes.LastIndexByte(buf[:n], '\n') + 1; end > 0 {
			r.offset += int64(end)
			return buf[:end], nil
		}
		if n == len(buf) {
			return nil, fmt.Errorf("%s: line at offset %d is longer than %d bytes", r.file.Name(), r.offset, n)
		}
		if r.more == nil {
			r.offset += int64(n)
			return buf[:n], nil
		}
		var events [4096]byte
		if _, err := r.more.Read(events[:]); err != nil {
			return nil, err
		}
	}
}

// A bareSpool is a file of blocks: length u32, CRC-32C u32 of what follows, Snappy block.
type bareSpool struct {
	file *os.File
	stop chan struct{}
	done chan error // of one
}

const spoolHeader = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func createBareSpool(path string) (*bareSpool, error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	s := &bareSpool{file, make(chan struct{}), make(chan error, 1)}
	go s.syncEachSecond()
	return s, nil
}

// syncEachSecond does no work of the loop's: it waits for the disk in the loop's stead.
func (s *bareSpool) syncEachSecond() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := unix.Fdatasync(int(s.file.Fd())); err != nil {
				s.done <- err
				return
			}
		case <-s.stop:
			s.done <- nil
			return
		}
	}
}

// appendSpoolBlock compresses lines behind a header.
func appendSpoolBlock(dst, lines []byte) []byte {
	need := spoolHeader + s2.MaxEncodedLen(len(lines))
	if cap(dst) < need {
		dst = make([]byte, need)
	}
	dst = dst[:need]
	packed := s2.EncodeSnappy(dst[spoolHeader:], lines)
	binary.BigEndian.PutUint32(dst[0:], uint32(len(packed)))
	binary.BigEndian.PutUint32(dst[4:], crc32.Checksum(packed, castagnoli))
	return dst[:spoolHeader+len(packed)]
}

func (s *bareSpool) write(block []byte) error {
	select {
	case err := <-s.done:
		s.done <- err
		return fmt.Errorf("sync the spool: %w", err)
	default:
	}
	_, err := s.file.Write(block)
	return err
}

func (s *bareSpool) close() {
	close(s.stop)
	<-s.done
	s.file.Close()
}
