package deployer

import (
	"slices"
	"strings"
)

// Nearest finds the known name that is closest to a mistaken one; dashes, underscores and case do not count.
func Nearest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
	}
	return slices.MinFunc(known, func(a, b string) int {
		return distance(plain(name), plain(a)) - distance(plain(name), plain(b))
	})
}

// distance counts the letters to be changed, added or taken away between two words; what is longer than a key can be is
// cut.
func distance(a, b string) int {
	a, b = a[:min(len(a), 64)], b[:min(len(b), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(b)]
}
