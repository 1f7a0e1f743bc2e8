package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

func TestCheckDeliveryTellsEachKindOfMistake(t *testing.T) {
	line := func(who string, n int) string { return string(AppendLine(nil, who, n)) }
	tests := map[string]struct {
		files []string
		want  Delivery
	}{
		"exact":        {[]string{line("a", 0) + line("b", 0), line("a", 1)}, Delivery{Lines: 3}},
		"lost":         {[]string{line("a", 0) + line("a", 1)}, Delivery{Lines: 2, Lost: 1, First: "b 0 is missing"}},
		"doubled":      {[]string{line("a", 0) + line("a", 1) + line("b", 0), line("a", 0)}, Delivery{Lines: 4, Doubled: 1, First: "a 0 comes again in line 4"}},
		"out of order": {[]string{line("a", 1) + line("b", 0) + line("a", 0)}, Delivery{Lines: 3, OutOfOrder: 1, First: "a 0 comes behind 1"}},
		"torn":         {[]string{line("a", 0) + line("b", 0) + "a 1 "}, Delivery{Lines: 3, Lost: 1, Unexpected: 1, First: `line 3: "a 1 "`}},
		"stranger":     {[]string{line("a", 0) + line("a", 1) + line("b", 0) + line("c", 0)}, Delivery{Lines: 4, Unexpected: 1, First: `line 4: "c 0 "`}},
		"beyond":       {[]string{line("a", 0) + line("a", 1) + line("b", 0) + line("b", 1)}, Delivery{Lines: 4, Unexpected: 1, First: `line 4: "b 1 x"`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var files []string
			for _, text := range tt.files {
				f, err := os.CreateTemp(t.TempDir(), "")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString(text); err != nil {
					t.Fatal(err)
				}
				f.Close()
				files = append(files, f.Name())
			}
			if d := CheckDelivery(t, files, map[string]int{"a": 2, "b": 1}); *d != tt.want {
				t.Errorf("got  %v\nwant %v", d, &tt.want)
			}
		})
	}
}

func TestASourceDeletesOnlyWhatHasArrived(t *testing.T) {
	s := &Source{Name: "a", Dir: t.TempDir(), FileLines: 10}
	rotate := func(lines int) {
		t.Helper()
		f, err := s.open()
		if err != nil {
			t.Fatal(err)
		}
		s.written += lines
		if f, err = s.rotate(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	rotate(10)
	s.Delivered(9)
	rotate(10)
	if s.Deleted() != 0 {
		t.Fatalf("%d files deleted, of which a line had not arrived", s.Deleted())
	}
	s.Delivered(10)
	rotate(10)
	left, err := filepath.Glob(filepath.Join(s.Dir, "a.log.*"))
	if err != nil || s.Deleted() != 1 || len(left) != 2 {
		t.Fatalf("%d files deleted, %v left; want 1 and 2 left (%v)", s.Deleted(), left, err)
	}
}
