package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Size is a number of bytes. In the configuration it is a whole number with KiB, MiB, GiB or TiB, or of plain bytes.
type Size int64

const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

var sizeUnits = []struct {
	name  string
	bytes Size
}{{"TiB", TiB}, {"GiB", GiB}, {"MiB", MiB}, {"KiB", KiB}}

// String returns the size in the largest unit that holds it without a rest, as ParseSize reads it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// ParseSize reads a size. Decimal units (KB, MB) are refused: half of their readers take them for binary ones.
func ParseSize(text string) (Size, error) {
	number, unit := text, Size(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(text, u.name); ok {
			number, unit = rest, u.bytes
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && n > uint64(math.MaxInt64/unit):
		return 0, fmt.Errorf("too large: the largest size is %v", Size(math.MaxInt64))
	case err != nil:
		return 0, fmt.Errorf("not a size: write %s", nearestSize(text))
	}
	return Size(n) * unit, nil
}

var almostSize = regexp.MustCompile(`(?i)^([0-9]+) *([kmgt])i?b?$`)

// nearestSize says what to write instead of text.
func nearestSize(text string) string {
	if m := almostSize.FindStringSubmatch(text); m != nil {
		return m[1] + strings.ToUpper(m[2]) + "iB"
	}
	return "a whole number with KiB, MiB, GiB or TiB, or of plain bytes"
}

// Path is the name of a file or folder. In the configuration a relative one starts at the folder of the configuration
// file it is written in; decoding makes it absolute. An empty one stays empty.
type Path string
