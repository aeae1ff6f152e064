package upstream

import (
	"context"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// sendCount counts the input tokens of a request at the provider where that is
// free, and estimates them where it is not offered. It never makes a paid call.
func (s *Sender) sendCount(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	req, err := counted(in)
	if err != nil {
		return nil, err
	}
	at, err := surfaceFor(to.Provider)
	if err != nil {
		return nil, err
	}
	codec := dialect.For(at.Dialect)
	counter, ok := codec.(dialect.Counter)
	if !ok || !to.Provider.CountTokens || onPlan(to.Account) {
		return s.estimate(req, to), nil
	}
	t := s.target(to, at.Dialect)
	p, err := dialect.Prepare(req, t, s.replay)
	if err != nil {
		return nil, err
	}
	var w jsondoc.Writer
	losses := counter.EncodeCount(&w, p.Request, t)
	r, doc, err := s.exchangeJSON(ctx, in, to, join(baseURL(to, at), codec.Path(proxy.OpCount, to.Model.ID, false), "", to.Provider), w.Bytes(), codec)
	switch {
	case err != nil:
		return nil, err
	case noCounter(r.Fault):
		r.Close()
		return s.estimate(req, to), nil
	case r.Fault != nil:
		return r, nil
	}
	r.Losses = append(p.Losses, losses...)
	r.Tokens, err = counter.DecodeCount(doc)
	return r, err
}

// counted reads the request whose tokens are to be counted.
func counted(in *proxy.Inbound) (*proxy.Request, error) {
	doc, err := jsondoc.Parse(in.Body)
	if err != nil {
		return nil, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err)
	}
	return dialect.For(in.Dialect).DecodeRequest(doc, proxy.OpCount, pathModel(in))
}

// noCounter recognises a server that counts no tokens. Its 404 is not for the
// caller: some would ask again for ever. A counter that does not know the model
// is another matter.
func noCounter(f *fault.Error) bool {
	switch {
	case f == nil:
		return false
	case f.Status == 404:
		return f.Wire == nil || !strings.Contains(strings.ToLower(f.Wire.Message), "model")
	}
	return f.Status == 405 || f.Status == 501
}

// estimated guesses for a caller whose own dialect the provider speaks.
func (s *Sender) estimated(in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	req, err := counted(in)
	if err != nil {
		return nil, err
	}
	return s.estimate(req, to), nil
}

// The estimate: English and code run at a little over four bytes a token. Callers
// compact their conversation by it, so it is on the safe side by 1.15, until the
// model itself has shown how it counts.
const (
	bytesPerToken  = 3.6
	tokensPerImage = 1600
	tokensPerTurn  = 4
)

// estimate guesses the tokens of everything the model would read.
func (s *Sender) estimate(r *proxy.Request, to *proxy.Candidate) *proxy.Reply {
	w := weigh(r)
	return &proxy.Reply{Candidate: to, Status: 200, Tokens: int64(float64(w.bytes)/s.scales.of(to)) + int64(w.tokens), Estimated: true}
}

// weight is how much a model reads.
type weight struct {
	bytes  int  // of text
	tokens int  // of all that is no text
	mixed  bool // there is what no measure holds for: media, and what the provider's own tools bring
}

// weigh adds up what a request has the model read.
func weigh(r *proxy.Request) weight {
	var w weight
	w.parts(r.System)
	for _, t := range r.Turns {
		w.tokens += tokensPerTurn
		w.parts(t.Parts)
	}
	for _, t := range r.Tools {
		w.tokens += tokensPerTurn
		w.bytes += len(t.Name) + len(t.Description) + len(t.Schema) + len(t.Raw)
		w.mixed = w.mixed || t.Hosted != ""
	}
	return w
}

func (w *weight) parts(list []proxy.Part) {
	for _, p := range list {
		w.bytes += len(p.Text) + len(p.Raw)
		w.mixed = w.mixed || p.Media != nil || p.Opaque != nil
		switch {
		case p.Media != nil && p.Kind == proxy.PartImage:
			w.tokens += tokensPerImage
		case p.Media != nil:
			w.bytes += len(p.Media.Data)/4 + len(p.Media.Text)
		case p.Call != nil:
			w.bytes += len(p.Call.Name) + len(p.Call.Args)
		case p.Result != nil:
			w.bytes += len(p.Result.Object)
			w.parts(p.Result.Parts)
		}
	}
}

// sendFill completes text at a provider that has an endpoint of its own for it.
func (s *Sender) sendFill(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, req *proxy.Request) (*proxy.Reply, error) {
	kind := to.Provider.Completions
	if kind == "infill" && (req.Fill == nil || req.Fill.Suffix == nil) {
		kind = "openai" // llama.cpp fills in at one endpoint and goes on at another
	}
	f, ok := dialect.Fillers[kind]
	if !ok {
		return nil, fault.New(fault.NotOffered, "%s completes text in a way this proxy does not know: %q", to.Provider.Name, to.Provider.Completions)
	}
	at, ok := to.Provider.Surface(f.Surface)
	if !ok {
		return nil, fault.New(fault.NotOffered, "%s has no address for text completion", to.Provider.Name)
	}
	t := s.target(to, at.Dialect)
	p := &dialect.Prepared{Request: req, Stops: nil}
	w := &jsondoc.Writer{Buf: make([]byte, 0, len(in.Body)+256)}
	p.Losses = append(req.Losses, f.Encode(w, req, t)...)
	if t.Strict {
		if err := dialect.Refuse(p.Losses); err != nil {
			return nil, err
		}
	}
	r, src, err := s.exchange(ctx, in, to, join(f.Base(baseURL(to, at)), f.Path, "", to.Provider), w.Bytes(), f.Codec)
	if err != nil || r.Fault != nil {
		return r, err
	}
	r.Losses, r.Request = p.Losses, req
	back := dialect.NewReturn(p, &dialect.Caller{Dialect: in.Dialect, ID: in.ID}, t.Origin, nil)
	if err := s.receive(r, src, f.Codec, back, in); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}
