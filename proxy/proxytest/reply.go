package proxytest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Reply is one answer of a Provider. The methods return a changed copy, so replies can be shared.
type Reply struct {
	Status int // 0 means 200
	Header http.Header
	Body   []byte
	Cut    Cut // where the body is cut into flushed pieces; nil writes it whole

	// Step, when set, holds each piece back until a value comes, the channel is closed, or the
	// caller leaves, so that a test can see a piece arrive before the next is sent.
	Step <-chan struct{}

	array bool // the body is a JSON array that is streamed
	fault fault
	at    int // the offset in Body where the fault happens; beforeHeaders for none of the answer
	beat  []byte
	every time.Duration
}

type fault int

const (
	noFault fault = iota
	reset
	stall
	end
	heartbeat
)

const beforeHeaders = -1

// Answer replays a recorded answer. A recording without a content type gets its format's usual one.
func Answer(x Exchange) Reply {
	r := Reply{Status: x.Response.Status, Header: x.Response.Header.Clone(), Body: x.Response.Body}
	r.array = x.Response.StreamFormat == formatArray
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", map[string]string{
			formatSSE: "text/event-stream", formatLines: "application/x-ndjson", formatArray: "application/json", "": "application/json",
		}[x.Response.StreamFormat])
	}
	return r
}

// JSON answers a JSON text.
func JSON(status int, body string) Reply {
	return Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

// SSE answers an event stream.
func SSE(body string) Reply {
	return Reply{Header: http.Header{"Content-Type": {"text/event-stream; charset=utf-8"}}, Body: []byte(body)}
}

// HTMLPage answers what a gateway in front of a provider shows when it fails.
func HTMLPage(status int) Reply {
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	page := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head>\n<body><center><h1>" + title +
		"</h1></center><hr><center>nginx</center></body></html>\n"
	return Reply{Status: status, Header: http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, Body: []byte(page)}
}

// Empty answers a status without a body.
func Empty(status int) Reply { return Reply{Status: status} }

func (r Reply) stream() bool {
	kind := r.Header.Get("Content-Type")
	return r.array || strings.HasPrefix(kind, "text/event-stream") || strings.HasPrefix(kind, "application/x-ndjson")
}

// With sets a header. An empty value takes the header away.
func (r Reply) With(name, value string) Reply {
	r.Header = r.Header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set(name, value)
	if value == "" {
		r.Header[http.CanonicalHeaderKey(name)] = nil // absent, rather than guessed by net/http
	}
	return r
}

// RetryAfter sets retry-after in seconds.
func (r Reply) RetryAfter(seconds int) Reply { return r.With("Retry-After", strconv.Itoa(seconds)) }

// In cuts the body into flushed pieces.
func (r Reply) In(cut Cut) Reply { r.Cut = cut; return r }

// Gzipped compresses the whole body and says so.
func (r Reply) Gzipped() Reply {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	zip.Write(r.Body)
	zip.Close()
	r.Body = out.Bytes()
	return r.With("Content-Encoding", "gzip")
}

func (r Reply) broken(how fault, at int) Reply {
	r.fault, r.at = how, at
	return r
}

// Reset breaks the connection with a TCP reset before anything is answered.
func (r Reply) Reset() Reply { return r.broken(reset, beforeHeaders) }

// ResetAt sends that many bytes of the body, then breaks the connection with a TCP reset.
func (r Reply) ResetAt(n int) Reply { return r.broken(reset, n) }

// Stall sends nothing, not even the status, until Provider.Release; then it answers. It ends when
// the caller leaves.
func (r Reply) Stall() Reply { return r.broken(stall, beforeHeaders) }

// StallAt sends that many bytes of the body and waits as Stall does. 0 sends the headers alone.
func (r Reply) StallAt(n int) Reply { return r.broken(stall, n) }

// EndAt ends the body after that many bytes, as if it were complete.
func (r Reply) EndAt(n int) Reply { return r.broken(end, n) }

// EndAfterEvents ends the body behind that many frames; a negative number counts from the end.
// EndAfterEvents(-1) leaves the last frame out: the terminal event, or [DONE].
func (r Reply) EndAfterEvents(n int) Reply {
	offsets := EveryEvent(r.Body)
	if n < 0 {
		n += len(offsets)
	}
	if n <= 0 || n > len(offsets) {
		return r.EndAt(0)
	}
	return r.EndAt(offsets[n-1])
}

// EndInRune ends the body within its first character of more than one byte, or at its middle when
// there is none.
func (r Reply) EndInRune() Reply {
	for i := range r.Body {
		if !utf8.RuneStart(r.Body[i]) {
			return r.EndAt(i)
		}
	}
	return r.EndAt(len(r.Body) / 2)
}

// Unparsable replaces the first brace that opens a JSON object, and so breaks the first frame or the body.
func (r Reply) Unparsable() Reply {
	r.Body = bytes.Replace(r.Body, []byte("{"), []byte("<"), 1)
	return r
}

// Beating sends the body and then never ends: a heartbeat, such as ": keep-alive\n\n", is repeated
// until the caller leaves or Provider.Release.
func (r Reply) Beating(beat string, every time.Duration) Reply {
	r.beat, r.every = []byte(beat), every
	return r.broken(heartbeat, len(r.Body))
}

// WithModel replaces the value of the top-level member "model", and no other byte. It is how a test
// says what a request must look like upstream. A body without the member is returned as it is.
func WithModel(body []byte, model string) []byte {
	in := json.NewDecoder(bytes.NewReader(body))
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return body
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return body
		}
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return body
		}
		if key == "model" {
			after := in.InputOffset()
			name := canonical(model)
			return bytes.Join([][]byte{body[:int(after)-len(value)], []byte(name), body[after:]}, nil)
		}
	}
	return body
}
