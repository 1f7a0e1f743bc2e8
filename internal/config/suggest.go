package config

import (
	"slices"
	"strings"
)

// Nearest returns the one of names that name is most likely a misspelling of, or "" if none is near.
func Nearest(name string, names []string) string {
	best, least := "", 1+max(1, len(name)/3)
	for _, candidate := range names {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// Suggest returns the end of an error message about an unknown name: "; did you mean ...?" where one of names is near,
// else the sorted list of what there is.
func Suggest(name string, names []string) string {
	if near := Nearest(name, names); near != "" {
		return "; did you mean " + quote(near) + "?"
	}
	if len(names) == 0 {
		return "; there are none"
	}
	return "; known are " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// distance counts the insertions, deletions, replacements and swaps of neighbours between a and b (optimal string
// alignment). Names are short; a and b are cut so that a hostile key costs no time.
func distance(a, b string) int {
	const longest = 64
	a, b = a[:min(len(a), longest)], b[:min(len(b), longest)]
	var rows [3][longest + 1]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := last[j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
