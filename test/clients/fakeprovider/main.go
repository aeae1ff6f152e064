// Command fakeprovider stands in for a model provider when real clients are
// run against KorProxy. One process speaks one dialect. It reads requests as
// strictly as the vendor does, so that a wrong translation gets a 400, and
// answers by a script: a directive such as [[tool]] in the last user text
// says what to answer.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

// vendor is one dialect as a provider speaks it.
type vendor interface {
	// authorized says whether the key is where the vendor looks for it.
	authorized(h http.Header) bool
	// read checks a request; what is wrong with it is noted in the reader.
	read(r *reader, path string)
	answer(w *writer, a *ask, say reply)
	failure(w http.ResponseWriter, status int, message string)
	// other serves what is not generation: lists, counts, embeddings. It
	// reports whether the path was its own.
	other(w http.ResponseWriter, path string, r *reader) bool
}

var vendors = map[string]vendor{
	"openai-chat":        chat{},
	"openai-responses":   responses{},
	"anthropic-messages": messages{},
	"gemini":             gemini{},
	"ollama":             ollama{},
}

func main() {
	name := flag.String("dialect", "", "the dialect to speak")
	flag.Parse()
	v := vendors[*name]
	if v == nil {
		log.Fatalf("no dialect %q", *name)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	go func() { // ends with whoever started it
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(l, &server{name: *name, vendor: v}))
}

type server struct {
	name string
	vendor
}

const key = "sk-fake-provider-key"

func (s *server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !s.authorized(req.Header) {
		s.failure(w, http.StatusUnauthorized, "the provider's key is missing or wrong")
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	r := &reader{header: req.Header}
	if req.Method == http.MethodPost {
		dec := json.NewDecoder(bytes.NewReader(body))
		if err := dec.Decode(&r.body); err != nil || dec.More() {
			s.failure(w, http.StatusBadRequest, "the body is not one JSON object")
			return
		}
		r.want(strings.HasPrefix(req.Header.Get("Content-Type"), "application/json"), "content-type %q", req.Header.Get("Content-Type"))
	}
	r.want(strings.HasPrefix(req.Header.Get("User-Agent"), "KorProxy/"), "user-agent %q", req.Header.Get("User-Agent"))
	path := req.URL.Path
	if s.other(w, path, r) {
		return
	}
	if req.URL.RawQuery != "" {
		path += "?" + req.URL.RawQuery
	}
	s.read(r, path)
	r.settle()
	if r.err != nil {
		log.Printf("%s: %v: %s", s.name, r.err, body)
		s.failure(w, http.StatusBadRequest, r.err.Error())
		return
	}
	if r.model != "tester" {
		s.failure(w, http.StatusNotFound, "there is no model "+r.model+" here")
		return
	}
	say := script(s.name, &r.ask)
	if say.status != 0 {
		if say.status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "7")
		}
		s.failure(w, say.status, say.text)
		return
	}
	out := &writer{ResponseWriter: w}
	s.answer(out, &r.ask, say)
}

// writer sends JSON, whole or as the frames of a stream.
type writer struct {
	http.ResponseWriter
	number int // of the event, for dialects that count them
}

func (w *writer) flush() { http.NewResponseController(w.ResponseWriter).Flush() }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(encode(v))
}

// begin starts a stream.
func (w *writer) begin(contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
}

// event sends one SSE frame; name may be empty.
func (w *writer) event(name string, v any) {
	if name != "" {
		fmt.Fprintf(w, "event: %s\n", name)
	}
	fmt.Fprintf(w, "data: %s\n\n", encode(v))
	w.flush()
}

// line sends one line of newline-delimited JSON.
func (w *writer) line(v any) {
	fmt.Fprintf(w, "%s\n", encode(v))
	w.flush()
}
