package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/spillway/spillway/spool/vfs"
	"github.com/spillway/spillway/spool/vfs/faultfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// contract is what every file system keeps to.
var contract = []struct {
	name string
	test func(t *testing.T, v vfs.FS, dir string)
}{
	{"an absent folder is empty", func(t *testing.T, v vfs.FS, dir string) {
		wantList(t, v, filepath.Join(dir, "none"))
		wantList(t, v, dir)
	}},
	{"list has files with sizes, sorted, without folders", func(t *testing.T, v vfs.FS, dir string) {
		for i, name := range []string{"c", "a", "b", "sub/d"} {
			f := create(t, v, filepath.Join(dir, name))
			write(t, f, 0, make([]byte, 10*i))
		}
		wantList(t, v, dir, vfs.Entry{Name: "a", Size: 10}, vfs.Entry{Name: "b", Size: 20}, vfs.Entry{Name: "c", Size: 0})
		wantList(t, v, filepath.Join(dir, "sub"), vfs.Entry{Name: "d", Size: 30})
	}},
	{"create makes folders and is exclusive", func(t *testing.T, v vfs.FS, dir string) {
		name := filepath.Join(dir, "x", "y", "z", "file")
		write(t, create(t, v, name), 0, []byte("kept"))
		if _, err := v.Create(name); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("second create: %v", err)
		}
		wantContent(t, open(t, v, name), "kept")
	}},
	{"open wants a file", func(t *testing.T, v vfs.FS, dir string) {
		if _, err := v.Open(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		wantList(t, v, dir)
	}},
	{"what was written is there after close and open", func(t *testing.T, v vfs.FS, dir string) {
		name := filepath.Join(dir, "f")
		f := create(t, v, name)
		write(t, f, 0, []byte("one "))
		shut(t, f)
		g := open(t, v, name)
		write(t, g, 4, []byte("two"))
		wantContent(t, g, "one two")
		wantContent(t, open(t, v, name), "one two")
	}},
	{"remove takes the name, not the content from who reads", func(t *testing.T, v vfs.FS, dir string) {
		name := filepath.Join(dir, "f")
		f := create(t, v, name)
		write(t, f, 0, []byte("old"))
		if err := v.Remove(name); err != nil {
			t.Fatal(err)
		}
		wantList(t, v, dir)
		if err := v.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("second remove:", err)
		}
		if _, err := v.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal("open of a removed file:", err)
		}
		write(t, create(t, v, name), 0, []byte("new file"))
		write(t, f, 3, []byte("er"))
		wantContent(t, f, "older")
		wantContent(t, open(t, v, name), "new file")
	}},
	{"reads past the end are short", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		write(t, f, 0, []byte("0123456789"))
		for _, c := range []struct {
			off, size, want int
			err             error
		}{{0, 10, 10, nil}, {3, 4, 4, nil}, {8, 5, 2, io.EOF}, {10, 1, 0, io.EOF}, {1 << 30, 1, 0, io.EOF}, {3, 0, 0, nil}} {
			p := make([]byte, c.size)
			n, err := f.ReadAt(p, int64(c.off))
			if n != c.want || !errors.Is(err, c.err) || err != nil && c.err == nil {
				t.Errorf("%d bytes at %d: %d, %v", c.size, c.off, n, err)
			} else if want := "0123456789"[min(c.off, 10):][:n]; string(p[:n]) != want {
				t.Errorf("%d bytes at %d: %q, want %q", c.size, c.off, p[:n], want)
			}
		}
	}},
	{"writev joins any buffers and leaves them alone", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		var bufs [][]byte
		var want []byte
		for i := range 3000 {
			bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, i%7*i%1000))
			want = append(want, bufs[i]...)
		}
		before := slices.Clone(bufs)
		write(t, f, 0, []byte("head"))
		if n, err := f.Writev(bufs, 4); n != len(want) || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, len(want), err)
		}
		wantContent(t, f, "head"+string(want))
		for i := range bufs {
			if !bytes.Equal(bufs[i], before[i]) || !bytes.Equal(bufs[i], bytes.Repeat([]byte{byte(i)}, len(before[i]))) {
				t.Fatalf("buffer %d was changed", i)
			}
		}
	}},
	{"writing nothing changes nothing", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		for _, bufs := range [][][]byte{nil, {}, {nil}, make([][]byte, 2000)} {
			if n, err := f.Writev(bufs, 100); n != 0 || err != nil {
				t.Fatal(n, err)
			}
		}
		wantContent(t, f, "")
	}},
	{"a gap is zero, also where something stood before", func(t *testing.T, v vfs.FS, dir string) {
		const big = 3 << 20
		f := create(t, v, filepath.Join(dir, "f"))
		junk := bytes.Repeat([]byte("junk"), big/4)
		write(t, f, 0, junk)
		truncate(t, f, 5)
		write(t, f, big-3, []byte("end"))
		want := append([]byte("junkj"), make([]byte, big-8)...)
		wantContent(t, f, string(append(want, "end"...)))
		truncate(t, f, 1)
		truncate(t, f, big+7)
		wantContent(t, f, "j"+string(make([]byte, big+6)))
		// The chunks of a removed file do not show through in a new one.
		g := create(t, v, filepath.Join(dir, "g"))
		write(t, g, 0, junk)
		truncate(t, g, 0)
		truncate(t, g, big)
		wantContent(t, g, string(make([]byte, big)))
	}},
	{"writes overwrite in place", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		write(t, f, 0, []byte("0123456789"))
		write(t, f, 2, []byte("ab"))
		write(t, f, 8, []byte("xyz"))
		wantContent(t, f, "01ab4567xyz")
	}},
	{"handles share the file", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		g := open(t, v, filepath.Join(dir, "f"))
		write(t, f, 0, []byte("written by one"))
		wantContent(t, g, "written by one")
		truncate(t, g, 7)
		shut(t, f)
		wantContent(t, g, "written")
	}},
	{"sync and syncdir succeed", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		write(t, f, 0, []byte("x"))
		if err := errors.Join(f.Sync(), v.SyncDir(dir)); err != nil {
			t.Fatal(err)
		}
	}},
	{"a closed file refuses", func(t *testing.T, v vfs.FS, dir string) {
		f := create(t, v, filepath.Join(dir, "f"))
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		_, read := f.ReadAt(make([]byte, 1), 0)
		_, written := f.Writev([][]byte{{1}}, 0)
		for i, err := range []error{read, written, f.Truncate(3), f.Sync(), f.Close()} {
			if !errors.Is(err, fs.ErrClosed) {
				t.Errorf("operation %d: %v", i, err)
			}
		}
		wantContent(t, open(t, v, filepath.Join(dir, "f")), "")
	}},
	{"one writes, several read and sync, others come and go", concurrent},
}

// concurrent appends numbered blocks to a file while others read them, list,
// create, sync and remove.
func concurrent(t *testing.T, v vfs.FS, dir string) {
	const blocks, size = 200, 16 << 10
	f := create(t, v, filepath.Join(dir, "f"))
	done := make(chan struct{})
	var others sync.WaitGroup
	loop := func(do func(i int) error) {
		others.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if err := do(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	loop(func(i int) error {
		p := make([]byte, size)
		n, err := f.ReadAt(p, int64(i%blocks)*size)
		if errors.Is(err, io.EOF) {
			return nil // not there yet, or not whole
		}
		if err == nil && !bytes.Equal(p, bytes.Repeat([]byte{byte(i % blocks)}, size)) {
			err = fmt.Errorf("block %d has other bytes", i%blocks)
		}
		return errors.Join(err, short(n, size))
	})
	loop(func(int) error { return f.Sync() })
	loop(func(int) error {
		_, err := v.List(dir)
		return err
	})
	loop(func(i int) error {
		name := filepath.Join(dir, fmt.Sprint(i%3))
		g, err := v.Create(name)
		if err != nil {
			return err
		}
		_, err = g.Writev([][]byte{make([]byte, i%5000)}, 0)
		return errors.Join(err, v.Remove(name), g.Close())
	})
	for i := range blocks {
		write(t, f, int64(i)*size, bytes.Repeat([]byte{byte(i)}, size))
	}
	truncate(t, f, blocks*size)
	close(done)
	others.Wait()
}

func TestContract(t *testing.T) {
	for _, v := range []struct {
		name string
		make func(t *testing.T) (vfs.FS, string)
	}{
		{"os", func(t *testing.T) (vfs.FS, string) { return vfs.OS(), t.TempDir() }},
		{"memory", func(*testing.T) (vfs.FS, string) { return vfs.Memory(), "data/p" }},
		{"faultfs", func(*testing.T) (vfs.FS, string) { return faultfs.New(), "data/p" }},
	} {
		for _, c := range contract {
			t.Run(v.name+"/"+c.name, func(t *testing.T) {
				f, dir := v.make(t)
				c.test(t, f, dir)
			})
		}
	}
}

func short(n, want int) error {
	if n != want {
		return fmt.Errorf("%d bytes, want %d", n, want)
	}
	return nil
}

// create creates a file that is closed, if it is not yet, when the test ends.
func create(t *testing.T, v vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := v.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func open(t *testing.T, v vfs.FS, name string) vfs.File {
	t.Helper()
	f, err := v.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func shut(t *testing.T, f vfs.File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f vfs.File, off int64, p []byte) {
	t.Helper()
	n, err := f.Writev([][]byte{p}, off)
	if err := errors.Join(err, short(n, len(p))); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, f vfs.File, size int64) {
	t.Helper()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
}

func wantContent(t *testing.T, f vfs.File, want string) {
	t.Helper()
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) == want {
		return
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	t.Fatalf("%d bytes, want %d; they differ from byte %d on", len(got), len(want), at)
}

func wantList(t *testing.T, v vfs.FS, dir string, want ...vfs.Entry) {
	t.Helper()
	got, err := v.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
}
