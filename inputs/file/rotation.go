package file

import (
	"path/filepath"
	"strings"
)

// originals returns the names that the file called name may have had before a
// rotation gave it that one; none if it looks like no rotated file. A rotation
// adds a number, a time, or a word, at the end or before the extension, and may
// compress: app.log.1, app.log-20261120.gz, app-2026-11-20T12.log, app.log.old.
func originals(name string) []string {
	for _, ext := range []string{".gz", ".zst", ".bz2", ".xz", ".lz4", ".Z"} {
		if bare, ok := strings.CutSuffix(name, ext); ok {
			name = bare
			break
		}
	}
	names := stripped(name, "")
	if ext := filepath.Ext(name); ext != "" && ext != name && !rotationToken(ext[1:]) {
		names = append(names, stripped(strings.TrimSuffix(name, ext), ext)...)
	}
	return names
}

// stripped returns what is left of stem, with ext, before each separator after
// which there are only rotation tokens.
func stripped(stem, ext string) []string {
	var names []string
	for i := len(stem) - 1; i > 0; i-- {
		if !separator(stem[i]) {
			continue
		}
		if !rotationToken(stem[i+1:]) {
			break
		}
		names = append(names, stem[:i]+ext)
	}
	return names
}

func separator(c byte) bool { return c == '.' || c == '-' || c == '_' }

// rotationToken says whether s is a number, a date or time, or one of the words
// that tools add to a file they set aside.
func rotationToken(s string) bool {
	switch s {
	case "old", "bak", "backup", "orig", "save", "prev", "previous", "copy":
		return true
	}
	digits := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == 'T' || c == 'Z' || c == ':' || c == '+' || separator(c):
		default:
			return false
		}
	}
	return digits > 0
}

// rotationOf says whether name is a rotation name of the file called original.
func rotationOf(original, name string) bool {
	for _, o := range originals(name) {
		if o == original {
			return true
		}
	}
	return false
}
