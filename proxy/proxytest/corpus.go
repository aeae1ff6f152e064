package proxytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Dialect names as the corpus and the configuration spell them.
const (
	OpenAIChat        = "openai-chat"
	OpenAIResponses   = "openai-responses"
	OpenAICompletions = "openai-completions"
	AnthropicMessages = "anthropic-messages"
	Gemini            = "gemini"
	Ollama            = "ollama"
)

// Exchange is one recorded request with its answer. Its bytes are shared between tests: do not
// change them in place. The README.md in testdata/traffic.tar.gz explains every field.
type Exchange struct {
	ID       string   `json:"id"`
	Provider string   `json:"provider"`
	Dialect  string   `json:"dialect"`
	Model    string   `json:"model"` // "" when the recording names none
	Stream   bool     `json:"stream"`
	Request  Request  `json:"request"`
	Response Response `json:"response"`
	Features []string `json:"features"` // sorted
	Source   Source   `json:"source"`
}

// Request is what the recorded caller sent; credentials and host are left out.
type Request struct {
	Method string
	Path   string // with its query
	Header http.Header
	Body   []byte // compact JSON with keys and numbers as recorded; nil when there was none
}

// Response is what the provider answered.
type Response struct {
	Status       int
	Header       http.Header
	Body         []byte // what went over the wire: compact JSON, plain text, or the whole stream
	StreamFormat string // "sse", "ndjson", "json-array", or "" for an answer that is not a stream
}

// Source says where the recording was published.
type Source struct {
	Repo     string `json:"repo"`
	Path     string `json:"path"`
	Licence  string `json:"licence"`
	Index    int    `json:"index"`
	Fidelity string `json:"fidelity"` // "raw", "json-normalised", "reserialised", "reframed"
}

// Has reports whether the exchange carries a feature tag.
func (x Exchange) Has(tag string) bool {
	_, found := slices.BinarySearch(x.Features, tag)
	return found
}

// Wire gives the bytes of the answer's body as they are served.
func (x Exchange) Wire() []byte { return x.Response.Body }

// flaws names the recordings that are not one whole answer.
var flaws = map[string]string{
	"anthropic-messages-anthropic-c8c8b8a9b6": "two streams, one behind the other",
	"openai-responses-azure-ce7fb66f86":       "two streams, one behind the other",
	"openai-responses-openai-ef74c3be93":      "two streams, one behind the other",
	"openai-responses-openai-dd15f31513":      "abridged by its source: deltas are missing",
}

// Flaw says why the recording is no single whole answer, "" when it is one. Translation cannot be
// judged by a flawed one; pass-through can.
func (x Exchange) Flaw() string { return flaws[x.ID] }

// HasRequest reports whether the recording holds the request's body, so that it can be sent.
func (x Exchange) HasRequest() bool { return x.Request.Body != nil }

// Corpus is a list of exchanges, ordered by file name.
type Corpus []Exchange

// Filter keeps the exchanges that satisfy every condition.
func (c Corpus) Filter(conds ...func(Exchange) bool) Corpus {
	var kept Corpus
	for _, x := range c {
		if !slices.ContainsFunc(conds, func(ok func(Exchange) bool) bool { return !ok(x) }) {
			kept = append(kept, x)
		}
	}
	return kept
}

// Dialect keeps the exchanges of the dialects named.
func (c Corpus) Dialect(names ...string) Corpus {
	return c.Filter(func(x Exchange) bool { return slices.Contains(names, x.Dialect) })
}

// Feature keeps the exchanges that carry every tag.
func (c Corpus) Feature(tags ...string) Corpus {
	return c.Filter(func(x Exchange) bool {
		return !slices.ContainsFunc(tags, func(tag string) bool { return !x.Has(tag) })
	})
}

// Fidelity keeps the exchanges of the fidelities named; "raw" is right for byte-exact checks.
func (c Corpus) Fidelity(names ...string) Corpus {
	return c.Filter(func(x Exchange) bool { return slices.Contains(names, x.Source.Fidelity) })
}

// Streams keeps the streamed answers.
func (c Corpus) Streams() Corpus {
	return c.Filter(func(x Exchange) bool { return x.Stream })
}

// Get finds an exchange by id and fails the test when there is none.
func (c Corpus) Get(t testing.TB, id string) Exchange {
	t.Helper()
	i := slices.IndexFunc(c, func(x Exchange) bool { return x.ID == id })
	if i < 0 {
		t.Fatalf("proxytest: no exchange %s", id)
	}
	return c[i]
}

// Load returns every recorded exchange. The archive is read once per process, in well under a second.
func Load(t testing.TB) Corpus {
	t.Helper()
	corpus, err := loadTraffic()
	if err != nil {
		t.Fatalf("proxytest: load traffic: %v", err)
	}
	return slices.Clip(corpus)
}

var loadTraffic = sync.OnceValues(func() (Corpus, error) {
	files, err := readArchive("traffic.tar.gz")
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f file) bool { return !strings.HasSuffix(f.name, ".json") })
	corpus := make(Corpus, len(files))
	errs := make([]error, len(files))
	var group sync.WaitGroup
	for part := range 2 {
		group.Go(func() {
			for i := part; i < len(files); i += 2 {
				if err := json.Unmarshal(files[i].data, &corpus[i]); err != nil {
					errs[i] = fmt.Errorf("%s: %w", files[i].name, err)
				}
			}
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return corpus, nil
})

// UnmarshalJSON reads the corpus form and makes the body compact, as callers send it.
func (r *Request) UnmarshalJSON(data []byte) error {
	var form struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	body, err := compact(form.Body)
	*r = Request{Method: form.Method, Path: form.Path, Header: headers(form.Headers), Body: body}
	return err
}

// UnmarshalJSON reads the corpus form: exactly one of body, body_text and events is there.
func (r *Response) UnmarshalJSON(data []byte) error {
	var form struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
		Text    *string `json:"body_text"`
		Events  *string
		Format  string `json:"stream_format"`
	}
	if err := json.Unmarshal(data, &form); err != nil {
		return err
	}
	*r = Response{Status: form.Status, Header: headers(form.Headers), StreamFormat: form.Format}
	switch {
	case form.Events != nil:
		r.Body = []byte(*form.Events)
	case form.Text != nil:
		r.Body = []byte(*form.Text)
	default:
		var err error
		if r.Body, err = compact(form.Body); err != nil {
			return err
		}
	}
	return nil
}

func compact(raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var out bytes.Buffer
	err := json.Compact(&out, raw)
	return out.Bytes(), err
}

func headers(plain map[string]string) http.Header {
	h := make(http.Header, len(plain))
	for name, value := range plain {
		h.Set(name, value)
	}
	return h
}
