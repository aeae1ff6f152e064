package upstream

import (
	"bytes"
	"errors"
	"io"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// readSize is how much of a stream is read at once. Chunks are a few hundred
// bytes, and thousands of streams may be open.
const readSize = 4 << 10

// source reads the events of a provider's stream.
type source struct {
	src      *watchedBody
	buf      []byte
	framer   dialect.Framer
	dec      dialect.Decoder
	back     *dialect.Return
	usage    proxy.Usage
	ahead    []proxy.Event     // read by prime, not yet given out
	begun    bool              // something has been read
	over     bool              // the stream has ended
	ended    bool              // a Finish or an Error was given out
	finished bool              // it was a Finish
	content  bool              // something was given out that the caller will see
	ends     func(proxy.Usage) // told at the end, may be nil
	called   string            // the content type
	other    *fault.Error      // what it is if no frame of it can be read: not a stream, as it is not called one

	// The steps of an event's way, made once: a closure for each read would
	// be garbage for each chunk.
	yield func(*proxy.Event) error
	give  func(*proxy.Event) error
	step  func(*proxy.Event) error
	frame func(name, data []byte) error
}

func newSource(src *watchedBody, codec dialect.Codec, contentType string, back *dialect.Return) *source {
	s := &source{src: src, buf: make([]byte, readSize), framer: codec.NewFramer(contentType), dec: codec.NewDecoder(), back: back, called: contentType}
	s.give = s.pass
	s.step = func(e *proxy.Event) error { return s.back.Event(e, s.give) }
	s.frame = func(name, data []byte) error {
		err := s.dec.Frame(name, data, s.step)
		if err == nil || errors.Is(err, io.EOF) {
			s.other = nil
		}
		return err
	}
	return s
}

// pass gives an event out, at most one end among them.
func (s *source) pass(e *proxy.Event) error {
	switch e.Kind {
	case proxy.EventUsage:
		s.usage.Merge(e.Usage)
	case proxy.EventFinish, proxy.EventError:
		if s.ended {
			return nil
		}
		s.ended, s.finished = true, e.Kind == proxy.EventFinish
	}
	return s.yield(e)
}

// prime reads until the answer has begun. What fails before is its error.
func (s *source) prime() error {
	for !s.over {
		var failed *fault.Error
		err := s.read(func(e *proxy.Event) error {
			switch e.Kind {
			case proxy.EventError:
				if !s.content {
					failed = e.Err
				}
			case proxy.EventPartStart, proxy.EventDelta, proxy.EventFinish:
				s.content = true
			}
			s.ahead = append(s.ahead, owned(e))
			return nil
		})
		switch {
		case failed != nil:
			return failed
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case s.content:
			return nil
		}
	}
	return nil
}

// owned is an event that stays valid.
func owned(e *proxy.Event) proxy.Event {
	c := *e
	c.Text, c.Raw = bytes.Clone(e.Text), bytes.Clone(e.Raw)
	return c
}

// Next implements proxy.Source.
func (s *source) Next(yield func(*proxy.Event) error) error {
	if ahead := s.ahead; ahead != nil {
		s.ahead = nil
		for i := range ahead {
			if err := yield(&ahead[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if s.over {
		return io.EOF
	}
	return s.read(yield)
}

// Usage implements proxy.Source.
func (s *source) Usage() proxy.Usage { return s.usage }

// read takes one read's worth of the stream.
func (s *source) read(yield func(*proxy.Event) error) error {
	s.yield = yield
	n, err := s.src.Read(s.buf)
	if n > 0 {
		if !s.begun {
			s.begun = true
			if looksLikePage(s.buf[:n]) {
				return s.finish(fault.New(fault.UpstreamHTML, "%s sent a web page instead of an answer: %s", s.src.host, printable(s.buf[:n])))
			}
			if kindOf(s.called) != kindStream {
				s.other = fault.New(fault.UpstreamType, "%s sent %s instead of a stream: %s", s.src.host, called(s.called), printable(s.buf[:n]))
			}
		}
		if ferr := s.framer.Feed(s.buf[:n], s.frame); ferr != nil {
			if err == nil && s.finished && errors.Is(ferr, io.EOF) {
				s.src.tells()
			}
			return s.finish(ferr)
		}
		if s.back.Done() {
			return s.finish(io.EOF)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		if ferr := s.framer.Close(s.frame); ferr != nil {
			return s.finish(ferr)
		}
		return s.finish(s.dec.Close(s.step))
	}
	return s.finish(err)
}

// finish ends the stream: err is io.EOF or nil for a good end, a fault of the
// stream, or the error of the one who was given its events.
func (s *source) finish(err error) error {
	s.over = true
	if !s.src.told { // else the Reply's end closes it
		s.src.Close()
	}
	if s.ends != nil {
		s.ends(s.usage)
	}
	if err == nil || errors.Is(err, io.EOF) {
		if s.ended {
			return io.EOF
		}
		err = fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
	}
	if s.other != nil && noAnswer(err) {
		err = s.other
	}
	if errors.Is(err, dialect.ErrFrameTooLong) {
		err = fault.New(fault.UpstreamBadJSON, "%s sent a frame of more than 32 MB", s.src.host)
	}
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if s.ended {
		return io.EOF
	}
	if gerr := s.pass(&proxy.Event{Kind: proxy.EventError, Err: f}); gerr != nil {
		return gerr
	}
	return io.EOF
}

// noAnswer says whether a stream ended for what was in it, rather than for the
// connection.
func noAnswer(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && (f.Code == fault.StreamTruncated || f.Code == fault.UpstreamBadJSON)
}
