package upstream

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// maxAnswer is the longest answer that is held in memory whole.
const maxAnswer = 64 << 20

// firstRead is the size of the first read of a stream. Chunks are a few hundred
// bytes, and thousands of streams may be open; a stream that has more to say
// gets a larger buffer.
const firstRead = 1 << 10

// firstEvent is how far an event that arrives in pieces is waited for.
const firstEvent = 2 << 10

// sendNative passes a request on to a provider that speaks the caller's own
// dialect: the caller's bytes but for the model's name.
func (s *Sender) sendNative(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, at proxy.Surface) (*proxy.Reply, error) {
	var name []byte
	if in.ModelAt[1] > in.ModelAt[0] && to.Model.ID != in.Model {
		name = jsondoc.Quote(to.Model.ID)
	}
	body := in.Body
	if in.Dialect == proxy.Gemini && in.Op != proxy.OpGenerate {
		body = renameWithin(body, to.Model.ID)
	}
	if to.Foreign {
		if reply, err := s.sendStripped(ctx, in, to, at, newPayload(body, in.ModelAt, name)); reply != nil || err != nil {
			return reply, err
		}
	}
	reply, err := s.tryNative(ctx, in, to, at, newPayload(body, in.ModelAt, name))
	if err != nil || reply.Fault == nil || !reasoningRefused(reply.Fault) {
		return reply, err
	}
	// Reasoning of another account or model cannot be read here: without it
	// the conversation goes on.
	again, err := s.sendStripped(ctx, in, to, at, newPayload(body, in.ModelAt, name))
	if again == nil && err == nil {
		return reply, nil
	}
	reply.Close()
	return again, err
}

// sendStripped sends a body without the opaque reasoning in it. It gives nothing
// where there is none.
func (s *Sender) sendStripped(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, at proxy.Surface, body *payload) (*proxy.Reply, error) {
	stripped, ok := dialect.StripReasoning(in.Dialect, body.bytes())
	if !ok {
		return nil, nil
	}
	reply, err := s.tryNative(ctx, in, to, at, newPayload(stripped, [2]int{}, nil))
	if reply != nil {
		reply.Repair = "reasoning_stripped"
	}
	return reply, err
}

// renameWithin exchanges the model's name where Gemini's bodies repeat the
// one of the path: in a token count's request, and in each request of a batch
// of embeddings. Nothing else of the body changes.
func renameWithin(body []byte, model string) []byte {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return body
	}
	name := jsondoc.Quote("models/" + model)
	root := doc.Root()
	var out []byte
	copied := 0
	rename := func(v jsondoc.Value) {
		if v.Kind() == jsondoc.String && v.Offset() >= copied {
			out = append(append(out, body[copied:v.Offset()]...), name...)
			copied = v.Offset() + len(v.Raw())
		}
	}
	rename(root.Get("model"))
	rename(root.Path("generateContentRequest", "model"))
	for _, one := range root.Get("requests").Elems() {
		rename(one.Get("model"))
	}
	return append(out, body[copied:]...)
}

func (s *Sender) tryNative(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, at proxy.Surface, body *payload) (*proxy.Reply, error) {
	h := forwarded(in.Header)
	if h["Content-Type"] == nil {
		h["Content-Type"] = []string{"application/json"}
	}
	resp, dog, key, err := s.postAs(ctx, to, nativeURL(in, to, at), h, body) //nolint:bodyclose // openBody takes it
	if err != nil {
		return nil, err
	}
	r := &proxy.Reply{Candidate: to, Status: resp.StatusCode, Header: resp.Header, Limits: limitsOf(resp.Header, time.Now())}
	src, err := openBody(resp, dog)
	if err != nil {
		return nil, err
	}
	r.OnClose(src.Close)
	if err = s.readNative(r, src, in, resp.ContentLength); err != nil {
		r.Close()
		return nil, err
	}
	if r.Fault != nil {
		r.Fault = fault.As(signedOut(r.Fault, to.Account))
		hideKey(r, key)
	}
	endToEnd(r.Header)
	return r, nil
}

// readNative reads an answer in the caller's dialect as far as it is read here.
func (s *Sender) readNative(r *proxy.Reply, src *watchedBody, in *proxy.Inbound, length int64) error {
	if r.Status/100 != 2 {
		readFault(r, src, dialect.For(in.Dialect))
		return nil
	}
	contentType := r.Header.Get("Content-Type")
	kind := kindOf(contentType)
	if in.Stream && !in.Array {
		kind, contentType = sniff(src, in.Dialect, kind, contentType)
	}
	if in.Stream && (kind == kindStream || kind == kindOther || kind == kindJSON && (in.Array || in.Dialect == proxy.Ollama)) {
		return beginStream(r, src, in, contentType)
	}
	return s.readWhole(r, src, in, length, kind)
}

// beginStream reads the first bytes of a stream, so that a provider that fails
// at once can still be answered for properly. An event that arrives in pieces
// is waited for, as far as firstEvent.
func beginStream(r *proxy.Reply, src *watchedBody, in *proxy.Inbound, contentType string) error {
	w := dialect.NewWatch(in.Dialect, contentType)
	buf := make([]byte, firstRead)
	n, err := src.Read(buf)
	first := buf[:n]
	if err == nil && dialect.OpensPlainly(first) {
		src.ahead, r.Watch, r.Body = first, w, src
		return nil
	}
	w.Feed(first)
	for err == nil && len(first) < firstEvent && !w.Begun() && !pauses(first) {
		if len(first) == len(buf) {
			buf = append(buf, make([]byte, firstEvent-len(buf))...)
		}
		n, err = src.Read(buf[len(first):])
		w.Feed(buf[len(first) : len(first)+n])
		first = buf[:len(first)+n]
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(first) == 0 {
		return fault.New(fault.StreamTruncated, "%s closed the stream before anything came", src.host)
	}
	if looksLikePage(first) {
		return fault.New(fault.UpstreamHTML, "%s sent a web page instead of an answer: %s", src.host, printable(first))
	}
	if err != nil {
		// What the end completes is part of what came first. It is told of again.
		_, _ = w.End()
	}
	if noStream(first, in.Dialect, kindOf(contentType), err != nil && !w.Begun()) {
		return fault.New(fault.UpstreamType, "%s sent %s instead of a stream: %s", src.host, called(contentType), printable(first))
	}
	if f := w.FailedFirst(); f != nil {
		r.Fault, r.Status = f, f.HTTPStatus()
		return nil
	}
	w.Again(len(first))
	src.ahead, src.err = first, err
	r.Watch, r.Body = w, src
	return nil
}

// noStream recognises what is neither called a stream nor begins like one. Where
// each line is an event of its own that is seen at once, else when the end came
// before any event.
func noStream(first []byte, d proxy.Dialect, kind contentKind, over bool) bool {
	if kind == kindStream || looksLikeJSON(first) {
		return false
	}
	return over || d == proxy.Ollama && len(bytes.TrimSpace(first)) > 0
}

// pauses says whether a stream that has no event yet may rest here: behind a
// comment or a blank line, which keep the connection alive and are passed on.
func pauses(first []byte) bool {
	return bytes.HasSuffix(first, []byte("\n\n")) || bytes.HasSuffix(first, []byte("\n\r\n")) || bytes.HasPrefix(first, []byte{':'}) && bytes.HasSuffix(first, []byte{'\n'})
}

// openBody puts the response body under its watchdog, decompressed where the
// provider compressed it unasked.
func openBody(resp *http.Response, dog *watchdog) (*watchedBody, error) {
	b := &watchedBody{body: resp.Body, dog: dog, host: resp.Request.URL.Host}
	switch enc := strings.ToLower(resp.Header.Get("Content-Encoding")); enc {
	case "", "identity":
		return b, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(resp.Body)
		if err != nil {
			err = networkFault(dog.cause(err), b.host)
			b.Close()
			return nil, err
		}
		b.body = struct {
			io.Reader
			io.Closer
		}{z, resp.Body}
	case "deflate":
		b.body = struct {
			io.Reader
			io.Closer
		}{flate.NewReader(resp.Body), resp.Body}
	default:
		b.Close()
		return nil, fault.New(fault.UpstreamType, "%s compressed its answer as %q, which was not asked for", b.host, enc)
	}
	resp.Header.Del("Content-Encoding")
	resp.Header.Del("Content-Length")
	resp.ContentLength = -1
	return b, nil
}

// nativeURL is where the operation lives at the provider.
func nativeURL(in *proxy.Inbound, to *proxy.Candidate, at proxy.Surface) string {
	path := dialect.For(in.Dialect).Path(in.Op, to.Model.ID, in.Stream)
	switch {
	case in.Op != proxy.OpEmbed:
	case in.Dialect == proxy.Gemini:
		path = "/v1beta/" + (&url.URL{Path: "models/" + to.Model.ID}).EscapedPath() + ":" + in.Variant
	case in.Dialect == proxy.Ollama:
		path = "/api/" + in.Variant
	}
	if in.Array {
		path, _, _ = strings.Cut(path, "?")
	}
	return join(baseURL(to, at), path, in.Query, to.Provider)
}

// baseURL is the base of a surface for an account. An account's own base URL
// stands for the provider's first one; surfaces elsewhere move to its host.
func baseURL(to *proxy.Candidate, at proxy.Surface) string {
	switch own := to.Account.BaseURL; {
	case own == "":
		return at.BaseURL
	case at.BaseURL == to.Provider.Surfaces[0].BaseURL:
		return own
	default:
		return rebase(at.BaseURL, own)
	}
}

// join puts a URL together. The caller's query follows the path's own.
func join(base, path, query string, p *proxy.Provider) string {
	switch version := p.APIVersion; {
	case p.Quirk("vertex"):
		// Vertex keeps its version and the project in the base.
		path = strings.TrimPrefix(path, "/v1beta")
	case version == "":
	case strings.HasPrefix(path, "/v1beta/"):
		path = "/" + version + path[len("/v1beta"):]
	case !strings.Contains("&"+query, "&api-version="):
		query = strings.TrimPrefix(query+"&api-version="+version, "&")
	}
	u := strings.TrimSuffix(base, "/") + path
	if query == "" {
		return u
	}
	_, own, _ := strings.Cut(path, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" || pair == own {
			continue
		}
		if strings.Contains(u, "?") {
			u += "&" + pair
		} else {
			u += "?" + pair
		}
	}
	return u
}
