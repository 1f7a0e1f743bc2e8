package spool

import (
	"strings"
	"testing"

	"github.com/spillway/spillway/spool/vfs"
)

// TestADamagedFormatByteIsDamageToToolsToo: what a start takes for damage is none of a
// newer version's to those who only look.
func TestADamagedFormatByteIsDamageToToolsToo(t *testing.T) {
	fs := vfs.Memory()
	o := Options{Outputs: []Output{{ID: "o", Lane: "l"}}}
	s := open(t, fs, o)
	put(t, s, "l", 1, "a")
	put(t, s, "l", 2, "b")
	shut(t, s)
	name := segmentName(0, 0)
	var starts []int64
	if err := Walk(fs, testDir, func(e Entry) error {
		starts = append(starts, e.Position)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	good := []byte(contents(t, fs)[name])
	for _, at := range starts {
		for _, format := range []byte{0, 3, 6, 0x82} {
			bad := append([]byte(nil), good...)
			bad[at+atFormat] = format
			replaceFile(t, fs, name, bad)
			var damage []string
			if err := Walk(fs, testDir, func(e Entry) error {
				if e.Bad != nil {
					damage = append(damage, e.Bad.Error())
				}
				return nil
			}); err != nil || len(damage) != 1 || strings.Contains(damage[0], "newer") {
				t.Errorf("format %d at byte %d: error %v, damage %q", format, at, err, damage)
			}
		}
	}
}
