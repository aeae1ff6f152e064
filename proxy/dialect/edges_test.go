package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// An edge is a case that breaks naive translators. The cases are numbered; those
// that need a whole daemon are in cmd/korproxy.
type edge struct {
	n    int
	name string
	run  func(t *testing.T)
}

var edgeLists = [][]edge{toolEdges, schemaEdges, reasoningEdges, fieldEdges, usageEdges, streamEdges}

func TestEdgeCases(t *testing.T) {
	for _, list := range edgeLists {
		for _, e := range list {
			t.Run(fmt.Sprintf("%03d %s", e.n, e.name), e.run)
		}
	}
}

// TestEveryEdgeHasItsCase finds each of the 100 numbers once: in the lists here
// or in those of the daemon's tests.
func TestEveryEdgeHasItsCase(t *testing.T) {
	const edges = 100
	files, err := filepath.Glob("edges_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]int{}
	line := regexp.MustCompile(`(?m)^\t\{(\d+), "`)
	for _, name := range append(files, filepath.Join("..", "..", "cmd", "korproxy", "edges_test.go")) {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllSubmatch(src, -1) {
			n, err := strconv.Atoi(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			found[n]++
		}
	}
	for n := range found {
		if n < 1 || n > edges {
			t.Errorf("edge %d is none of the %d", n, edges)
		}
	}
	for n := 1; n <= edges; n++ {
		if found[n] != 1 {
			t.Errorf("edge %d has %d cases", n, found[n])
		}
	}
}

// to is the target of a dialect, with changes.
func to(d proxy.Dialect, change ...func(*Target)) *Target {
	t := &Target{Dialect: d, Model: "upstream-model", Origin: proxy.Origin{Dialect: d, Provider: "p", Account: "a", Model: "upstream-model"}}
	for _, c := range change {
		c(t)
	}
	return t
}

func policy(p proxy.Policy) func(*Target) { return func(t *Target) { t.Policy = p } }

func quirks(names ...string) func(*Target) { return func(t *Target) { t.Quirks = names } }

// moved is a request as it goes to a provider.
type moved struct {
	t      *testing.T
	body   []byte
	losses []proxy.Loss
	p      *Prepared
}

// translate takes a caller's body to a target.
func translate(t *testing.T, from proxy.Dialect, body string, target *Target) *moved {
	t.Helper()
	return translateWith(t, from, body, target, nil)
}

func translateWith(t *testing.T, from proxy.Dialect, body string, target *Target, mem *Replay) *moved {
	t.Helper()
	m, err := tryTranslate(from, []byte(body), target, mem)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	m.t = t
	if !json.Valid(m.body) {
		t.Fatalf("not JSON: %s", m.body)
	}
	return m
}

func tryTranslate(from proxy.Dialect, body []byte, target *Target, mem *Replay) (*moved, error) {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return nil, err
	}
	model := ""
	if from == proxy.Gemini {
		model = "m"
	}
	r, err := For(from).DecodeRequest(doc, proxy.OpGenerate, model)
	if err != nil {
		return nil, err
	}
	p, err := Prepare(r, target, mem)
	if err != nil {
		return nil, err
	}
	w := jsondoc.Writer{Buf: make([]byte, 0, len(body)+len(body)/8+1024)}
	losses := For(target.Dialect).EncodeRequest(&w, p.Request, target)
	return &moved{body: w.Bytes(), losses: append(slices.Clone(p.Losses), losses...), p: p}, nil
}

// at is the JSON at a path such as messages.1.content, "" when there is none.
func (m *moved) at(path string) string { return jsonAt(m.t, m.body, path) }

func jsonAt(t *testing.T, body []byte, path string) string {
	t.Helper()
	v := parsed(t, body).Root()
	for step := range strings.SplitSeq(path, ".") {
		if i, err := strconv.Atoi(step); err == nil && v.Kind() == jsondoc.Array {
			v = v.Index(i)
			continue
		}
		v = v.Get(step)
	}
	if len(v.Raw()) == 0 {
		return ""
	}
	var b bytes.Buffer
	if err := json.Compact(&b, v.Raw()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// has compares what stands at paths: path, JSON, path, JSON.
func (m *moved) has(pairs ...string) {
	m.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		if got := m.at(pairs[i]); got != pairs[i+1] {
			m.t.Errorf("%s is %s, want %s\nin %s", pairs[i], orNone(got), orNone(pairs[i+1]), m.body)
		}
	}
}

func orNone(s string) string {
	if s == "" {
		return "absent"
	}
	return s
}

// without makes sure that words stand nowhere in the body.
func (m *moved) without(words ...string) {
	m.t.Helper()
	for _, w := range words {
		if bytes.Contains(m.body, []byte(w)) {
			m.t.Errorf("%s is in %s", w, m.body)
		}
	}
}

// lost makes sure that there is a Loss whose field or note has the words.
func (m *moved) lost(words string) {
	m.t.Helper()
	for _, l := range m.losses {
		if strings.Contains(l.Field+": "+l.Note, words) {
			return
		}
	}
	m.t.Errorf("no loss about %q: %+v", words, m.losses)
}

// heard is an answer as a caller gets it.
type heard struct {
	t       *testing.T
	dialect proxy.Dialect
	wire    []byte
	sum     proxytest.Summary
}

// stream takes frames of a provider's stream to a caller of another dialect.
func stream(t *testing.T, from, to proxy.Dialect, frames ...string) *heard {
	t.Helper()
	return streamBack(t, from, callerOf(to), &Prepared{Names: Names{}}, nil, frames...)
}

func callerOf(d proxy.Dialect) *Caller {
	c := chatCaller()
	c.Dialect = d
	return c
}

func streamBack(t *testing.T, from proxy.Dialect, c *Caller, p *Prepared, mem *Replay, frames ...string) *heard {
	t.Helper()
	origin := proxy.Origin{Dialect: from, Provider: "p", Account: "a"}
	out, _ := streamThrough(For(from), c, NewReturn(p, c, origin, mem), "text/event-stream", streamWire(from, frames...), 7)
	h := &heard{t: t, dialect: c.Dialect, wire: out}
	var ignore []string
	if from != am { // another vendor's thinking has no signature
		ignore = []string{"block/sign"}
	}
	if err := proxytest.ValidateStream(string(c.Dialect), out, ignore...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	h.summarize()
	return h
}

func (h *heard) summarize() {
	h.t.Helper()
	var err error
	if h.sum, err = proxytest.Summarize(string(h.dialect), h.wire); err != nil {
		h.t.Fatalf("%v\n%s", err, h.wire)
	}
}

// streamWire makes a stream of frames as a provider of the dialect sends it.
func streamWire(d proxy.Dialect, frames ...string) []byte {
	var b []byte
	for _, f := range frames {
		if strings.HasPrefix(f, ":") {
			b = append(append(b, f...), "\n\n"...)
			continue
		}
		if d == proxy.Ollama {
			b = append(append(b, f...), '\n')
			continue
		}
		name := ""
		if d == proxy.AnthropicMessages || d == proxy.OpenAIResponses {
			name = string(nameOf(nil, []byte(f)))
		}
		b = AppendSSE(b, name, []byte(f))
	}
	return b
}

// streamThrough is the way of a stream: frames, events, the way back, the order
// that encoders want, and the caller's stream. size is how much is read at once.
func streamThrough(from Codec, c *Caller, back *Return, contentType string, wire []byte, size int) ([]byte, proxy.Usage) {
	framer, dec := from.NewFramer(contentType), from.NewDecoder()
	seq := NewSequencer(For(c.Dialect).NewEncoder(c))
	var out []byte
	add := func(e *proxy.Event) error {
		out = seq.Event(out, e)
		return nil
	}
	step := func(e *proxy.Event) error { return back.Event(e, add) }
	frame := func(name, data []byte) error { return dec.Frame(name, data, step) }
	var err error
	for at := 0; at < len(wire) && err == nil; at += size {
		err = framer.Feed(bytes.Clone(wire[at:min(at+size, len(wire))]), frame)
	}
	if err == nil {
		err = framer.Close(frame)
	}
	if err == nil {
		err = dec.Close(step)
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = nil
		if !seq.Ended() {
			err = fault.New(fault.StreamTruncated, "the stream ended without its end")
		}
	}
	if err != nil && !seq.Ended() {
		out = seq.Event(out, &proxy.Event{Kind: proxy.EventError, Err: fault.As(err)})
	}
	return seq.Close(out), seq.Usage()
}

// whole takes a provider's whole answer to a caller of another dialect. A fault
// is the error reply the caller gets.
func whole(t *testing.T, from, to proxy.Dialect, body string) *heard {
	t.Helper()
	c := callerOf(to)
	c.Stream = false
	h := &heard{t: t, dialect: to}
	var w jsondoc.Writer
	a, err := For(from).DecodeAnswer(parsed(t, []byte(body)))
	if err != nil {
		For(to).EncodeError(&w, fault.As(err), c)
	} else {
		NewReturn(&Prepared{Names: Names{}}, c, proxy.Origin{Dialect: from}, nil).Answer(a)
		For(to).EncodeAnswer(&w, a, c)
	}
	h.wire = w.Bytes()
	h.summarize()
	return h
}

func (h *heard) has(words ...string) {
	h.t.Helper()
	for _, w := range words {
		if !bytes.Contains(h.wire, []byte(w)) {
			h.t.Errorf("%s is not in\n%s", w, h.wire)
		}
	}
}

func (h *heard) without(words ...string) {
	h.t.Helper()
	for _, w := range words {
		if bytes.Contains(h.wire, []byte(w)) {
			h.t.Errorf("%s is in\n%s", w, h.wire)
		}
	}
}

// says compares text and stop reason.
func (h *heard) says(text, stop string) {
	h.t.Helper()
	if h.sum.Text != text || h.sum.Stop != stop || h.sum.Error != "" {
		h.t.Errorf("text %q, stop %q, error %q; want %q, %q\n%s", h.sum.Text, h.sum.Stop, h.sum.Error, text, stop, h.wire)
	}
}

// calls compares the tool calls, each as name and arguments.
func (h *heard) calls(want ...string) {
	h.t.Helper()
	var got []string
	for _, c := range h.sum.ToolCalls {
		got = append(got, c.Name+c.Args)
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("calls %q, want %q\n%s", got, want, h.wire)
	}
}

// fails makes sure that the caller sees an error.
func (h *heard) fails() {
	h.t.Helper()
	if h.sum.Error == "" {
		h.t.Errorf("no error in\n%s", h.wire)
	}
}

const (
	cc = proxy.OpenAIChat
	rs = proxy.OpenAIResponses
	am = proxy.AnthropicMessages
	gm = proxy.Gemini
	ol = proxy.Ollama
)

var fiveDialects = []proxy.Dialect{cc, rs, am, gm, ol}
