package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads a configuration: one YAML file, or all *.yaml and *.yml files of a folder (hidden ones and subfolders
// excepted) in the order of their names. Of several files the top-level maps are merged key by key (so pipelines by
// name) and the lists of tests appended; everything else may appear in one file only. env is as for Parse;
// os.LookupEnv in production.
//
// Mistakes in the files are *Error values, joined and sorted. A file or folder that can't be read is an error of its own.
func Load(path string, env func(name string) (value string, ok bool)) (*Node, error) {
	names, err := files(path)
	if err != nil {
		return nil, err
	}
	merged := &Node{position: position{source: &source{name: path}, line: 1, column: 1}}
	var errs []error
	for _, name := range names {
		data, err := readFile(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		n, err := Parse(name, data, env)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(names) == 1 {
			return n, nil
		}
		errs = append(errs, merged.merge(n))
	}
	if err := Join(errs...); err != nil {
		return nil, err
	}
	return merged, nil
}

// files returns the files that make up a configuration.
func files(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		names = append(names, filepath.Join(path, e.Name()))
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("configuration: the folder %s holds no *.yaml or *.yml file", path)
	}
	return names, nil
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && info.Mode().IsRegular() && info.Size() > maxFileBytes {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("larger than %v", Size(maxFileBytes))}
	}
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "read", Path: name, Err: errors.New("is a folder")}
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return data, nil
}

// merge adds the top-level keys of another file.
func (n *Node) merge(other *Node) error {
	switch other.kind {
	case Null:
		return nil
	case Map:
		n.kind = Map
	default:
		return other.Errorf("wanted a map at the top of the file, found %s", other.found())
	}
	var errs []error
	for _, e := range other.entries {
		mine := n.entry(e.Key)
		switch {
		case mine == nil:
			n.entries = append(n.entries, e)
		case mine.Value.kind == Null:
			*mine = e
		case e.Value.kind == Null:
		case mine.Value.kind == Map && e.Value.kind == Map:
			errs = append(errs, mine.mergeMap(e))
		case e.Key == "tests" && mine.Value.kind == List && e.Value.kind == List:
			mine.Value = mine.Value.withItems(e.Value.items)
		default:
			errs = append(errs, e.twice(*mine))
		}
	}
	return Join(errs...)
}

// mergeMap adds the keys of the same map in another file.
func (e *Entry) mergeMap(other Entry) error {
	merged := *e.Value // a copy: an alias may share the node
	merged.entries = append([]Entry(nil), e.Value.entries...)
	var errs []error
	for _, o := range other.Value.entries {
		if mine := merged.entry(o.Key); mine != nil {
			errs = append(errs, o.twice(*mine))
			continue
		}
		merged.entries = append(merged.entries, o)
	}
	e.Value = &merged
	return Join(errs...)
}

func (n *Node) withItems(items []*Node) *Node {
	appended := *n
	appended.items = append(append([]*Node(nil), n.items...), items...)
	return &appended
}

func (n *Node) entry(key string) *Entry {
	for i := range n.entries {
		if n.entries[i].Key == key {
			return &n.entries[i]
		}
	}
	return nil
}

func (e Entry) twice(first Entry) error {
	return e.Errorf("%s appears in two files; the other is at %s:%d:%d",
		quote(e.Key), first.at.source.name, first.at.line, first.at.column)
}
