package file

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tempSuffix is the end of the name of a file that is being compressed.
const tempSuffix = ".tmp"

var extensions = map[string]string{"none": "", "gzip": ".gz", "zstd": ".zst"}

// rotatedName is the name under which the file with this number is kept.
func rotatedName(path string, seq uint64) string { return fmt.Sprintf("%s.%06d", path, seq) }

// rotatedFile is one file beside path that carries its name and a number.
type rotatedFile struct {
	seq  uint64
	name string // the whole path
	ext  string // of its compression; empty if there is none
	temp bool   // left by a compression that was interrupted
}

// rotatedFiles lists the rotated files of path by their numbers, a plain one
// before its compressed form. Names that rotation would not give are left alone.
func rotatedFiles(path string) ([]rotatedFile, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var files []rotatedFile
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if !ok {
			continue
		}
		f := rotatedFile{name: filepath.Join(filepath.Dir(path), e.Name())}
		rest, f.temp = strings.CutSuffix(rest, tempSuffix)
		if digits := strings.IndexByte(rest, '.'); digits >= 0 {
			rest, f.ext = rest[:digits], rest[digits:]
		}
		if f.seq, err = strconv.ParseUint(rest, 10, 64); err != nil {
			continue
		}
		known := f.ext == ".gz" || f.ext == ".zst" || f.ext == "" && !f.temp
		if known && fmt.Sprintf("%06d", f.seq) == rest {
			files = append(files, f)
		}
	}
	slices.SortFunc(files, func(a, b rotatedFile) int {
		if a.seq != b.seq {
			return int(min(max(int64(a.seq)-int64(b.seq), -1), 1))
		}
		return strings.Compare(a.ext, b.ext)
	})
	return files, nil
}

// highest is the largest number of a rotated file; 0 if there is none.
func highest(files []rotatedFile) uint64 {
	if len(files) == 0 {
		return 0
	}
	return files[len(files)-1].seq
}
