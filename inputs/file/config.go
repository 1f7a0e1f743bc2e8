package file

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/spillway/spillway/inputs"
	"github.com/spillway/spillway/internal/config"
)

func init() {
	inputs.Register("file", "Reads the lines of files that grow and rotate, each exactly once.", Default, New)
}

// Config is what a user says about the files to read.
type Config struct {
	Paths        []config.Path `yaml:"paths" doc:"Files to read: paths or globs, in which * stays within a folder, ** spans folders, and {a,b}, ? and [a-z] work as in a shell." required:"true" example:"[/var/log/nginx/*.log]"`
	Exclude      []string      `yaml:"exclude" doc:"Globs of files not to read. One without a slash is matched against the file's name, another against the whole path." example:"['*.gz', '*.zst']"`
	StartAt      string        `yaml:"start_at" doc:"Where to begin with the files that exist at the very first start. Files that appear later are always read from their beginning." oneof:"beginning,end"`
	IgnoreOlder  time.Duration `yaml:"ignore_older" doc:"Leave out what is in files that were last written longer ago than this when they are first seen; only what is added to them later is read. 0s reads all."`
	CloseAfter   time.Duration `yaml:"close_after" doc:"Close a file that has not grown for this long. A renamed or deleted one is then finished, and its last line is read even without a line end." min:"1ms"`
	MaxOpenFiles int           `yaml:"max_open_files" doc:"The most files to keep open at a time; with more, they take turns." min:"2" max:"1000000"`
	MaxLine      config.Size   `yaml:"max_line" doc:"The longest line. A longer one is cut, marked with log.truncated, and counted." min:"16" max:"64MiB"`
	ScanInterval time.Duration `yaml:"scan_interval" doc:"How often to look at all files and folders, whatever the system's notifications say. Scans that take long are made less often, so that they never need more than 2% of a core." min:"5ms" max:"1h"`
	FileFields   []string      `yaml:"file_fields" doc:"What each record is to be told of its file, as a field: its path (log.file.path), its name (log.file.name), the offset at which the line begins (log.file.offset)." oneof:"path,name,offset" example:"[path, offset]"`
	Multiline    Multiline     `yaml:"multiline" doc:"Makes records of several lines, such as stack traces. Without it, or with nothing in it, each line is a record."`
	PathPattern  string        `yaml:"path_pattern" doc:"Takes fields out of the paths of files: {name} is a part of a folder's or file's name that becomes a field, {name:int} one that is a number, * anything within a folder, ** anything. Files that do not match have none of them." example:"/var/log/pods/{k8s.namespace.name}_{k8s.pod.name}_{k8s.pod.uid}/{k8s.container.name}/{k8s.container.restart_count:int}.log"`
	Watch        string        `yaml:"watch" doc:"How to notice changes between scans: auto asks the system to tell (inotify and its like), poll only scans, as network file systems need." oneof:"auto,poll"`
}

// Default returns the defaults.
func Default() *Config {
	return &Config{
		StartAt:      "beginning",
		CloseAfter:   time.Minute,
		MaxOpenFiles: 1024,
		MaxLine:      config.MiB,
		ScanInterval: time.Second,
		Multiline:    Multiline{FlushAfter: time.Second, MaxLines: 1000},
		Watch:        "auto",
	}
}

// Check tells whether the globs are well-formed.
func (c *Config) Check() error {
	var errs []error
	for i, p := range c.Paths {
		errs = append(errs, at("paths", i, checkPath(string(p))))
	}
	for i, p := range c.Exclude {
		errs = append(errs, at("exclude", i, checkGlob(p)))
	}
	if _, err := c.description(); err != nil {
		errs = append(errs, config.At("path_pattern", err))
	}
	return errors.Join(errs...)
}

func at(key string, index int, err error) error {
	if err == nil {
		return nil
	}
	return config.At(fmt.Sprintf("%s[%d]", key, index), err)
}

func checkPath(path string) error {
	switch {
	case path == "":
		return errors.New("an empty path: name a file or a glob")
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("%q is a folder: to read the files in it, write %q", path, path+"*")
	case !filepath.IsAbs(path):
		return fmt.Errorf("%q is not absolute", path)
	}
	return checkGlob(path)
}

func checkGlob(pattern string) error {
	depth := 0
	for _, c := range pattern {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		case '/':
			if depth > 0 {
				return fmt.Errorf("%q has a slash within braces: write one path for each alternative", pattern)
			}
		}
	}
	// Paths are matched folder by folder: each part must be a glob by itself.
	for part := range strings.SplitSeq(pattern, "/") {
		if !doublestar.ValidatePattern(part) {
			return fmt.Errorf("%q is not a glob: a bracket or brace is not closed, or a backslash is before a slash or at the end", pattern)
		}
	}
	return nil
}
