package dialect

import "bytes"

// lineCutter cuts a stream into lines and keeps the last, unfinished one.
type lineCutter struct {
	part    []byte // beginning of the line that is not finished
	cr      bool   // CR ends lines as LF and CRLF do, as in SSE
	afterCR bool   // an LF at the front belongs to the line end before it
	begun   bool   // the first line is done with
	limit   int
}

// feed calls line for every line that p completes, without its end. inP says
// that the line lies in p and not in the cutter's buffer; both hold only
// during the call.
func (c *lineCutter) feed(p []byte, line func(b []byte, inP bool) error) error {
	if c.afterCR && len(p) > 0 {
		c.afterCR = false
		if p[0] == '\n' {
			p = p[1:]
		}
	}
	// Each search goes on where it last found something, so that a text with
	// only one sort of line end is read through once for the other.
	lf := indexFrom(p, 0, '\n')
	cr := len(p)
	if c.cr {
		cr = indexFrom(p, 0, '\r')
	}
	start := 0
	for end := min(lf, cr); end < len(p); end = min(lf, cr) {
		if err := c.line(p[start:end], line); err != nil {
			return err
		}
		start = end + 1
		switch {
		case end == lf:
			lf = indexFrom(p, start, '\n')
			continue
		case start == len(p):
			c.afterCR = true
		case start == lf:
			start++
			lf = indexFrom(p, start, '\n')
		}
		cr = indexFrom(p, start, '\r')
	}
	if len(c.part)+len(p)-start > c.limit {
		return ErrFrameTooLong
	}
	c.part = append(c.part, p[start:]...)
	return nil
}

// line completes the unfinished line, if there is one, with tail.
func (c *lineCutter) line(tail []byte, line func(b []byte, inP bool) error) error {
	if len(c.part)+len(tail) > c.limit {
		return ErrFrameTooLong
	}
	if len(c.part) == 0 {
		return line(c.withoutBOM(tail), true)
	}
	c.part = append(c.part, tail...)
	err := line(c.withoutBOM(c.part), false)
	c.part = emptyFrame(c.part)
	return err
}

// rest hands over the line that the end of the stream leaves without its end.
func (c *lineCutter) rest(line func(b []byte, inP bool) error) error {
	if len(c.part) == 0 {
		return nil
	}
	err := line(c.withoutBOM(c.part), false)
	c.part = nil
	return err
}

func (c *lineCutter) withoutBOM(b []byte) []byte {
	if c.begun {
		return b
	}
	c.begun = true
	return bytes.TrimPrefix(b, utf8BOM)
}

// indexFrom is the index of c at or after start, or the length.
func indexFrom(p []byte, start int, c byte) int {
	if at := bytes.IndexByte(p[start:], c); at >= 0 {
		return start + at
	}
	return len(p)
}

// NewLines is the Framer of a stream with one JSON text per line (NDJSON, as
// Ollama speaks it). Blank lines are skipped and the last needs no line end.
func NewLines() Framer {
	return &lineFramer{cut: lineCutter{limit: maxFrame}}
}

type lineFramer struct {
	cut lineCutter
	err error
}

func (l *lineFramer) Feed(p []byte, yield func(name, data []byte) error) error {
	if l.err == nil {
		l.err = l.cut.feed(p, func(b []byte, _ bool) error { return yieldLine(b, yield) })
	}
	return l.err
}

func (l *lineFramer) Close(yield func(name, data []byte) error) error {
	if l.err == nil {
		l.err = l.cut.rest(func(b []byte, _ bool) error { return yieldLine(b, yield) })
	}
	return l.err
}

func yieldLine(b []byte, yield func(name, data []byte) error) error {
	if b = bytes.Trim(b, " \t\r"); len(b) == 0 {
		return nil
	}
	return yield(nil, b)
}
