package config

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layout says where each key of a TOML text stands. It is a forward scan of a
// text the parser has accepted; of any other text it leaves out what cannot be
// read and goes on with the next line.
type layout struct {
	src      []byte
	at       map[string]int // key path → offset of the key
	value    map[string]int // key path → offset of the value; tables have none
	sections []section      // table headers in order
	counts   map[string]int // elements seen of each array of tables
	nodes    []Node
	depth    int // lists and inline tables around pos
	top      int // offset behind the line of the last value before any table
	pos      int
}

// section is a table header with what belongs to it.
type section struct {
	path  string // as in layout.at
	array bool   // [[…]]
	start int    // offset of its line
	end   int    // offset behind the line of its last value, or of the header
}

func layoutOf(text []byte) *layout {
	l := &layout{src: text, at: map[string]int{}, value: map[string]int{}, counts: map[string]int{}}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		l.pos, l.top = 3, 3
	}
	prefix := ""
	for l.skip(true); l.pos < len(l.src); l.skip(true) {
		var ok bool
		start, known := l.pos, len(l.nodes)
		if l.src[l.pos] == '[' {
			prefix, ok = l.header()
		} else {
			ok = l.pair(prefix)
		}
		if l.skip(false); !ok || !l.atLineEnd() {
			l.recover(start, known)
		}
		if n := len(l.sections); n > 0 {
			l.sections[n-1].end = l.lineEnd(l.pos)
		} else {
			l.top = l.lineEnd(l.pos)
		}
	}
	return l
}

// position gives line and column of an offset, both from 1, columns in bytes.
func (l *layout) position(offset int) (line, col int) {
	before := l.src[:min(offset, len(l.src))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// find gives the position of a key, or of the nearest of its parents.
func (l *layout) find(path string) (line, col int) {
	for p := path; p != ""; p = parentPath(p) {
		if off, ok := l.at[p]; ok {
			return l.position(off)
		}
	}
	return 1, 1
}

func (l *layout) header() (path string, ok bool) {
	start := bytes.LastIndexByte(l.src[:l.pos], '\n') + 1
	keyAt := l.pos
	array := bytes.HasPrefix(l.src[l.pos:], []byte("[["))
	l.pos++
	if array {
		l.pos++
	}
	node := l.add(Node{Kind: Header, Array: array, Whole: Span{Start: keyAt}})
	l.skip(false)
	words, ok := l.key()
	for i, w := range words {
		path = joinPath(path, w.name)
		switch n := l.counts[path]; {
		case i == len(words)-1 && array && ok:
			l.counts[path]++
			if n == 0 {
				l.at[path] = keyAt
			}
			path = indexPath(path, n)
		case n > 0:
			path = indexPath(path, n-1)
		}
		if _, known := l.at[path]; !known {
			l.at[path] = keyAt
		}
		l.word(node, w, path, i == len(words)-1)
	}
	for l.skip(false); l.pos < len(l.src) && l.src[l.pos] == ']'; l.pos++ {
		l.nodes[node].Whole.End = l.pos + 1
	}
	n := &l.nodes[node]
	n.Open = n.Whole.End == 0 || !bytes.HasSuffix(l.src[keyAt:n.Whole.End], closing(array))
	n.Whole.End = max(n.Whole.End, len(bytes.TrimRight(l.src[:l.pos], " \t")))
	l.sections = append(l.sections, section{path: path, array: array, start: start})
	return path, ok && !n.Open
}

// closing is the end of a header.
func closing(array bool) []byte {
	if array {
		return []byte("]]")
	}
	return []byte("]")
}

// pair reads "key = value" below prefix.
func (l *layout) pair(prefix string) bool {
	start := l.pos
	node := l.add(Node{Kind: Pair, Table: prefix, Whole: Span{Start: start}, Depth: l.depth})
	words, ok := l.key()
	path := prefix
	for i, w := range words {
		path = joinPath(path, w.name)
		if _, known := l.at[path]; !known {
			l.at[path] = start
		}
		l.word(node, w, path, i == len(words)-1)
	}
	l.nodes[node].Whole.End = max(start, len(bytes.TrimRight(l.src[:l.pos], " \t")))
	if len(words) == 0 {
		l.nodes = l.nodes[:node]
		return false
	}
	l.skip(false)
	if !ok || l.pos >= len(l.src) || l.src[l.pos] != '=' {
		return false
	}
	l.pos++
	l.nodes[node].Equals = l.pos
	l.skip(false)
	l.value[path] = l.pos
	return l.valueOf(node, path)
}

// word is one word of a dotted key.
type word struct {
	name string
	span Span
}

// key reads a dotted key and the space behind it. What was read is given even
// when it is no key.
func (l *layout) key() (words []word, ok bool) {
	for {
		start := l.pos
		name, ok := l.keyPart()
		if !ok {
			return words, false
		}
		words = append(words, word{name, Span{start, l.pos}})
		l.skip(false)
		if l.pos >= len(l.src) || l.src[l.pos] != '.' {
			return words, true
		}
		l.pos++
		l.skip(false)
	}
}

func (l *layout) keyPart() (string, bool) {
	start := l.pos
	if start >= len(l.src) {
		return "", false
	}
	if c := l.src[start]; c == '"' || c == '\'' {
		if !l.scanString() || l.pos-start < 2 {
			return "", false
		}
		inner := string(l.src[start+1 : l.pos-1])
		if c == '"' {
			inner = unescapeKey(inner)
		}
		return inner, true
	}
	for l.pos < len(l.src) && isBare(l.src[l.pos]) {
		l.pos++
	}
	return string(l.src[start:l.pos]), l.pos > start
}

func isBare(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// unescapeKey resolves the escapes of a basic string.
func unescapeKey(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	simple := map[byte]byte{'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r', 'e': 0x1b}
	widths := map[byte]int{'x': 2, 'u': 4, 'U': 8}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		if w := widths[s[i]]; w > 0 && i+w < len(s) {
			n, err := strconv.ParseUint(s[i+1:i+1+w], 16, 32)
			if err == nil {
				out = utf8.AppendRune(out, rune(n))
				i += w
				continue
			}
		}
		if c, ok := simple[s[i]]; ok {
			out = append(out, c)
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// joinPath appends a key to a path, quoted where it is no bare key.
func joinPath(path, key string) string {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r > 127 || !isBare(byte(r)) }) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// step is one part of a path: a key, or an index into an array of tables.
type step struct {
	key   string
	index int // -1 for a key
}

func (s step) appendTo(path string) string {
	if s.index >= 0 {
		return indexPath(path, s.index)
	}
	return joinPath(path, s.key)
}

// splitPath is the inverse of joinPath and indexPath. What is no path becomes
// a key that nothing has.
func splitPath(path string) []step {
	var steps []step
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		s, rest := step{index: -1}, ""
		if quoted, err := strconv.QuotedPrefix(path); err == nil && path[0] == '"' {
			s.key, _ = strconv.Unquote(quoted)
			rest = path[len(quoted):]
		} else if digits, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]"); ok && strings.HasPrefix(path, "[") && isIndex(digits) {
			s.index, _ = strconv.Atoi(digits)
			rest = after
		} else {
			end := strings.IndexAny(path[min(1, len(path)):], ".[") + 1
			if end == 0 {
				end = len(path)
			}
			s.key, rest = path[:end], path[end:]
		}
		steps, path = append(steps, s), rest
	}
	return steps
}

func isIndex(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n >= 0
}

func parentPath(path string) string {
	steps, out := splitPath(path), ""
	for _, s := range steps[:max(len(steps)-1, 0)] {
		out = s.appendTo(out)
	}
	return out
}
