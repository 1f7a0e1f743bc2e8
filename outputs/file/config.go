package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/spillway/spillway/internal/config"
)

// Config is the file output's.
type Config struct {
	Path     config.Path `yaml:"path" doc:"File to append to. Its folder is made if it is missing. The path is fixed: it takes nothing from the records." required:"true" example:"./out/web.jsonl"`
	Rotate   Rotate      `yaml:"rotate" doc:"When a new file begins. The old one is renamed to path and a sequence number, such as web.jsonl.000001."`
	Compress string      `yaml:"compress" doc:"Compression of rotated files." oneof:"none,gzip,zstd"`
}

// Rotate says when a new file begins, and how many old ones stay.
type Rotate struct {
	MaxBytes config.Size   `yaml:"max_bytes" doc:"Size above which a new file begins; 0 is no bound. A frame of records is never split over two files." min:"0"`
	MaxAge   time.Duration `yaml:"max_age" doc:"Age at which a new file begins; 0 is no bound." min:"0s"`
	Keep     int           `yaml:"keep" doc:"How many rotated files stay, the oldest are removed; 0 keeps all." min:"0"`
}

// Default is one file that grows.
func Default() *Config { return &Config{Compress: "none"} }

// Check refuses a path that can't be a file's.
func (c *Config) Check() error {
	info, err := os.Stat(string(c.Path))
	switch {
	case err == nil && info.IsDir():
		err = fmt.Errorf("%s is a folder, not a file", c.Path)
	case err == nil && !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file; use the stdout output for pipes and devices", c.Path)
	default:
		return nil
	}
	return config.At("path", err)
}

// Target implements [outputs.Exclusive]: each output cuts the file back to what its
// own journal knows.
func (c *Config) Target() string { return filepath.Clean(string(c.Path)) }

// writable tells why path can't be written to, as far as can be known without
// touching anything.
func writable(path string) error {
	for at := path; ; at = filepath.Dir(at) {
		err := unix.Access(at, unix.W_OK)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			continue
		case at == path:
			return allow(fmt.Errorf("file %s can't be written to: %w", path, err), path)
		}
		return allow(fmt.Errorf("file %s can't be created: folder %s: %w", path, at, err), at)
	}
}

// allow adds to an error about permissions who is to be allowed what.
func allow(err error, what string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: let the user with id %d write to %s, or choose another path", err, os.Geteuid(), what)
}
