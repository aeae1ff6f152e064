package config

import "strings"

// Nearest gives the candidate that is at most a third of the word away, or that
// continues the word or is continued by it.
func Nearest(word string, candidates []string) string {
	best, bestAt := "", max(1, len(word)/3)+1
	if len(word) > 64 {
		return ""
	}
	for _, c := range candidates {
		d := distance(word, c)
		if len(word) > 2 && len(c) > 2 && (strings.HasPrefix(word, c) || strings.HasPrefix(c, word)) {
			d = 1
		}
		if d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// distance counts the single-character edits and swaps between two words.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
