package dialect

import (
	"errors"
	"fmt"
	"io"
)

// NewArray is the Framer of a JSON array that arrives element by element, as
// Gemini answers streamGenerateContent without alt=sse. Each element is a
// frame, and so is a single object that stands in place of the array, which
// errors do. Elements are cut by their brackets and quotes and not checked
// further; commas between them are not counted. Close returns
// io.ErrUnexpectedEOF when the stream ends inside an element.
func NewArray() Framer {
	return &arrayFramer{limit: maxFrame}
}

var (
	errNotArray   = errors.New("stream is not a JSON array")
	errAfterArray = errors.New("unexpected byte after the JSON array of the stream")
)

// arrayState is where in the stream the next byte falls.
type arrayState uint8

const (
	arrayBefore arrayState = iota
	arrayBetween
	arrayElement // an array or object, depth > 0
	arrayString
	arrayEscape // after a backslash in a string
	arrayWord   // a number, true, false or null
	arrayAfter
)

type arrayFramer struct {
	part   []byte // beginning of the element that is not finished
	state  arrayState
	depth  int  // brackets open within the element
	single bool // the stream is one object and no array
	bom    int  // bytes of the byte order mark seen
	limit  int
	err    error
}

func (a *arrayFramer) Feed(p []byte, yield func(name, data []byte) error) error {
	if a.err == nil {
		a.err = a.feed(p, yield)
	}
	return a.err
}

func (a *arrayFramer) Close(func(name, data []byte) error) error {
	if a.err != nil {
		return a.err
	}
	if a.state.inside() {
		a.err = fmt.Errorf("stream ends inside an element: %w", io.ErrUnexpectedEOF)
	}
	return a.err
}

func (a *arrayFramer) feed(p []byte, yield func(name, data []byte) error) error {
	start := 0 // of the element, as far as it lies in p
	for i := 0; i < len(p); i++ {
		for a.state == arrayString && p[i] != '"' && p[i] != '\\' {
			if i++; i == len(p) {
				return a.hold(p[start:])
			}
		}
		was := a.state
		done, err := a.step(p[i])
		if err != nil {
			return err
		}
		if !was.inside() {
			start = i
		}
		if !done {
			continue
		}
		end := i + 1
		if was == arrayWord { // ended by the byte after it
			end = i
		}
		if err := a.yield(p[start:end], yield); err != nil {
			return err
		}
	}
	if !a.state.inside() {
		return nil
	}
	return a.hold(p[start:])
}

// hold copies the beginning of an element, as p belongs to the caller again.
func (a *arrayFramer) hold(b []byte) error {
	if len(a.part)+len(b) > a.limit {
		return ErrFrameTooLong
	}
	a.part = append(a.part, b...)
	return nil
}

func (s arrayState) inside() bool { return s >= arrayElement && s <= arrayWord }

// yield hands over an element that ends with tail.
func (a *arrayFramer) yield(tail []byte, yield func(name, data []byte) error) error {
	if len(a.part) == 0 && len(tail) <= a.limit {
		return yield(nil, tail)
	}
	if err := a.hold(tail); err != nil {
		return err
	}
	err := yield(nil, a.part)
	a.part = emptyFrame(a.part)
	return err
}

// step moves on by one byte; done says that an element is complete.
func (a *arrayFramer) step(c byte) (done bool, err error) {
	switch a.state {
	case arrayString:
		switch c {
		case '\\':
			a.state = arrayEscape
		case '"':
			a.state = arrayElement
			return a.closed(), nil
		}
	case arrayEscape:
		a.state = arrayString
	case arrayElement:
		switch c {
		case '"':
			a.state = arrayString
		case '{', '[':
			a.depth++
		case '}', ']':
			a.depth--
			return a.closed(), nil
		}
	case arrayWord:
		if c == ',' || c == ']' || isArraySpace(c) {
			a.state = arrayBetween
			if c == ']' {
				a.state = arrayAfter
			}
			return true, nil
		}
	case arrayBetween:
		return false, a.between(c)
	case arrayBefore:
		return false, a.before(c)
	case arrayAfter:
		if !isArraySpace(c) {
			return false, errAfterArray
		}
	}
	return false, nil
}

// closed leaves the element if nothing in it is open any more.
func (a *arrayFramer) closed() bool {
	if a.depth > 0 {
		return false
	}
	a.state = arrayBetween
	if a.single {
		a.state = arrayAfter
	}
	return true
}

func (a *arrayFramer) between(c byte) error {
	switch c {
	case ',', ' ', '\t', '\r', '\n':
	case ']':
		a.state = arrayAfter
	case '{', '[':
		a.state, a.depth = arrayElement, 1
	case '"':
		a.state, a.depth = arrayString, 0
	case '}', ':':
		return errNotArray
	default:
		a.state = arrayWord
	}
	return nil
}

func (a *arrayFramer) before(c byte) error {
	switch {
	case a.bom < len(utf8BOM) && c == utf8BOM[a.bom]:
		a.bom++
	case a.bom > 0 && a.bom < len(utf8BOM):
		return errNotArray
	case isArraySpace(c):
		a.bom = len(utf8BOM)
	case c == '[':
		a.state = arrayBetween
	case c == '{':
		a.state, a.depth, a.single = arrayElement, 1, true
	default:
		return errNotArray
	}
	return nil
}

func isArraySpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
