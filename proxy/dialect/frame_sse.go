package dialect

import "bytes"

// NewSSE is the Framer of a stream of server-sent events, read by the event
// stream rules of the HTML standard
// (https://html.spec.whatwg.org/multipage/server-sent-events.html) with one
// difference: an event that the stream ends in is yielded if it has data, even
// when its blank line or last line end never came. Providers leave them out;
// and where a stream was cut in the middle of an event, its data is no longer
// valid JSON and says so itself.
//
// Ids and retry times are dropped, as nothing can be resumed with them.
func NewSSE() Framer {
	return &sseFramer{cut: lineCutter{cr: true, limit: maxFrame}}
}

type sseFramer struct {
	cut lineCutter
	err error

	name []byte
	data []byte // data lines joined by \n, as far as they are copied
	view []byte // the only data line so far, where it lies in the bytes fed
	// lines counts the data lines of the event: none is not the same as empty.
	lines int
}

func (s *sseFramer) Feed(p []byte, yield func(name, data []byte) error) error {
	if s.err != nil {
		return s.err
	}
	s.err = s.cut.feed(p, func(b []byte, inP bool) error { return s.line(b, inP, yield) })
	s.keep() // p belongs to the caller again
	return s.err
}

func (s *sseFramer) Close(yield func(name, data []byte) error) error {
	if s.err != nil {
		return s.err
	}
	s.err = s.cut.rest(func(b []byte, inP bool) error { return s.line(b, inP, yield) })
	if s.err == nil {
		s.err = s.dispatch(yield)
	}
	return s.err
}

func (s *sseFramer) line(b []byte, inP bool, yield func(name, data []byte) error) error {
	if len(b) == 0 {
		return s.dispatch(yield)
	}
	field, value, _ := bytes.Cut(b, []byte{':'})
	if len(value) > 0 && value[0] == ' ' {
		value = value[1:]
	}
	switch string(field) {
	case "data":
		return s.add(value, inP)
	case "event":
		s.name = append(s.name[:0], value...)
	}
	return nil
}

// add takes one data line. The first is only looked at while it can be.
func (s *sseFramer) add(value []byte, inP bool) error {
	s.lines++
	if s.lines == 1 && inP {
		s.view = value
		return nil
	}
	s.keep()
	if len(s.data)+1+len(value) > s.cut.limit {
		return ErrFrameTooLong
	}
	if s.lines > 1 {
		s.data = append(s.data, '\n')
	}
	s.data = append(s.data, value...)
	return nil
}

// keep copies the line that was only looked at.
func (s *sseFramer) keep() {
	if s.view != nil {
		s.data = append(s.data, s.view...)
		s.view = nil
	}
}

func (s *sseFramer) dispatch(yield func(name, data []byte) error) error {
	var err error
	switch {
	case s.view != nil:
		err = yield(s.name, s.view)
	case s.lines > 0:
		err = yield(s.name, s.data)
	}
	s.name, s.data, s.view, s.lines = emptyFrame(s.name), emptyFrame(s.data), nil, 0
	return err
}
