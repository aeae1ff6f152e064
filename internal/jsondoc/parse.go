package jsondoc

// parser builds the tape by recursive descent. Its methods take the index to
// read at and return the index after what they read, or -1 once fail was
// called: cheaper on this path than an error value through every return.
type parser struct {
	src    []byte
	nodes  []node
	errAt  int
	errMsg string
}

func (p *parser) fail(at int, msg string) int {
	p.errAt, p.errMsg = at, msg
	return -1
}

func (p *parser) document() bool {
	i := p.value(skipSpace(p.src, bomLen(p.src)), 0)
	if i < 0 {
		return false
	}
	if i = skipSpace(p.src, i); i < len(p.src) {
		p.fail(i, "unexpected byte after the value")
		return false
	}
	return true
}

func (p *parser) value(i, depth int) int {
	if i >= len(p.src) {
		return p.fail(len(p.src), "unexpected end of text")
	}
	switch c := p.src[i]; c {
	case '"':
		return p.str(i)
	case '{':
		return p.object(i, depth+1)
	case '[':
		return p.array(i, depth+1)
	case 't':
		return p.word(i, "true", Bool)
	case 'f':
		return p.word(i, "false", Bool)
	case 'n':
		return p.word(i, "null", Null)
	default:
		if c == '-' || isDigit(c) {
			return p.number(i)
		}
		return p.fail(i, "expected a value")
	}
}

func (p *parser) object(i, depth int) int {
	if depth > maxDepth {
		return p.fail(i, "nested too deeply")
	}
	at := p.open(i, Object)
	if i = skipSpace(p.src, i+1); i < len(p.src) && p.src[i] == '}' {
		return p.close(at, i+1)
	}
	for {
		if i >= len(p.src) || p.src[i] != '"' {
			return p.fail(i, "expected a member name")
		}
		if i = p.str(i); i < 0 {
			return i
		}
		if i = skipSpace(p.src, i); i >= len(p.src) || p.src[i] != ':' {
			return p.fail(i, "expected a colon")
		}
		if i = p.value(skipSpace(p.src, i+1), depth); i < 0 {
			return i
		}
		i = skipSpace(p.src, i)
		if i >= len(p.src) {
			return p.fail(i, "unexpected end of object")
		}
		switch p.src[i] {
		case ',':
			i = skipSpace(p.src, i+1)
		case '}':
			return p.close(at, i+1)
		default:
			return p.fail(i, "expected a comma or the end of the object")
		}
	}
}

func (p *parser) array(i, depth int) int {
	if depth > maxDepth {
		return p.fail(i, "nested too deeply")
	}
	at := p.open(i, Array)
	if i = skipSpace(p.src, i+1); i < len(p.src) && p.src[i] == ']' {
		return p.close(at, i+1)
	}
	for {
		if i = p.value(i, depth); i < 0 {
			return i
		}
		i = skipSpace(p.src, i)
		if i >= len(p.src) {
			return p.fail(i, "unexpected end of array")
		}
		switch p.src[i] {
		case ',':
			i = skipSpace(p.src, i+1)
		case ']':
			return p.close(at, i+1)
		default:
			return p.fail(i, "expected a comma or the end of the array")
		}
	}
}

func (p *parser) open(i int, k Kind) int {
	p.nodes = append(p.nodes, node{start: uint32(i), kind: k})
	return len(p.nodes) - 1
}

func (p *parser) close(at, end int) int {
	n := &p.nodes[at]
	n.end, n.next = uint32(end), uint32(len(p.nodes))
	return end
}

// leaf records a value that holds no others.
func (p *parser) leaf(start, end int, k Kind, escaped bool) int {
	p.nodes = append(p.nodes, node{
		start: uint32(start), end: uint32(end), next: uint32(len(p.nodes) + 1),
		kind: k, escaped: escaped,
	})
	return end
}

func (p *parser) str(i int) int {
	end, escaped, msg := scanString(p.src, i+1)
	if msg != "" {
		return p.fail(end, msg)
	}
	return p.leaf(i, end, String, escaped)
}

func (p *parser) word(i int, word string, k Kind) int {
	end := i + len(word)
	if end > len(p.src) || string(p.src[i:end]) != word {
		return p.fail(i, "expected true, false or null")
	}
	return p.leaf(i, end, k, false)
}

// number follows the grammar of RFC 8259 section 6.
func (p *parser) number(i int) int {
	src, start := p.src, i
	if src[i] == '-' {
		i++
	}
	whole := i
	i = skipDigits(src, i)
	switch {
	case i == whole:
		return p.fail(i, "expected a digit")
	case src[whole] == '0' && i > whole+1:
		return p.fail(whole, "number has a leading zero")
	}
	if i < len(src) && src[i] == '.' {
		frac := i + 1
		if i = skipDigits(src, frac); i == frac {
			return p.fail(i, "expected a digit after the point")
		}
	}
	if i < len(src) && (src[i] == 'e' || src[i] == 'E') {
		exp := i + 1
		if exp < len(src) && (src[exp] == '+' || src[exp] == '-') {
			exp++
		}
		if i = skipDigits(src, exp); i == exp {
			return p.fail(i, "expected a digit in the exponent")
		}
	}
	return p.leaf(start, i, Number, false)
}
