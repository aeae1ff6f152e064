package upstream

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// maxRepairs bounds how often one request is mended and sent again after the
// provider has said what it does not take.
const maxRepairs = 3

// sendTranslated takes a request to a provider of another dialect.
func (s *Sender) sendTranslated(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	doc, err := jsondoc.Parse(in.Body)
	if err != nil {
		return nil, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err)
	}
	req, err := dialect.For(in.Dialect).DecodeRequest(doc, in.Op, pathModel(in))
	if err != nil {
		return nil, err
	}
	req.Stream = in.Stream // Gemini says it in the path
	if req.Op == proxy.OpComplete {
		if to.Provider.Completions != "" && to.Provider.Completions != "chat" {
			return s.sendFill(ctx, in, to, req)
		}
	}
	asked := req
	req = dialect.FillPrompt(req)
	if onPlan(to.Account) && !req.Stream {
		streamed := *req
		streamed.Stream = true // the caller gets it gathered
		req = &streamed
	}
	fill := req.Op != in.Op && req.Fill != nil
	var repair string
	stripped := false
	for try := 0; ; try++ {
		reply, err := s.tryTranslated(ctx, in, to, req, fill)
		if reply != nil {
			reply.Request, reply.Repair = asked, repair
		}
		if err != nil || reply.Fault == nil || try == maxRepairs {
			return reply, err
		}
		switch {
		case reasoningRefused(reply.Fault) && !stripped:
			repair, stripped = "reasoning_stripped", true
			req = withoutReasoning(req)
			s.replay.Forget(to.Origin(to.Provider.Surfaces[0].Dialect))
		case s.learned.refused(to, reply.Fault):
			repair = "parameter_removed"
		default:
			return reply, nil
		}
		reply.Close()
	}
}

// pathModel is the model for dialects that name it in the path.
func pathModel(in *proxy.Inbound) string {
	if in.Dialect == proxy.Gemini {
		return in.Model
	}
	return ""
}

// withoutReasoning is the request without any reasoning of earlier turns.
func withoutReasoning(r *proxy.Request) *proxy.Request {
	c := *r
	c.Turns = make([]proxy.Turn, len(r.Turns))
	for i, t := range r.Turns {
		parts := make([]proxy.Part, 0, len(t.Parts))
		for _, p := range t.Parts {
			if p.Kind != proxy.PartReasoning {
				p.Opaque = nil
				parts = append(parts, p)
			}
		}
		t.Parts = parts
		c.Turns[i] = t
	}
	return &c
}

func (s *Sender) target(to *proxy.Candidate, d proxy.Dialect) *dialect.Target {
	o := s.options()
	if to.Strict != nil {
		o.Strict = *to.Strict
	}
	return &dialect.Target{
		Dialect: d, Origin: to.Origin(d), Model: to.Model.ID, Policy: s.learned.policy(to), Output: to.Model.Output,
		Local: to.Provider.Local, Quirks: to.Provider.Quirks, ShareReasoning: o.ShareReasoning, Strict: o.Strict,
	}
}

// surfaceFor is the surface a translated request goes to: the first.
func surfaceFor(p *proxy.Provider) (proxy.Surface, error) {
	if len(p.Surfaces) == 0 {
		return proxy.Surface{}, fault.New(fault.NotOffered, "%s has no address to send to", p.Name)
	}
	return p.Surfaces[0], nil
}

func (s *Sender) tryTranslated(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, req *proxy.Request, fill bool) (*proxy.Reply, error) {
	at, err := surfaceFor(to.Provider)
	if err != nil {
		return nil, err
	}
	codec, t := dialect.For(at.Dialect), s.target(to, at.Dialect)
	p, err := dialect.Prepare(req, t, s.replay)
	if err != nil {
		return nil, err
	}
	p.Fill = fill
	if err := s.inlineMedia(ctx, p, t); err != nil {
		return nil, err
	}
	w := &jsondoc.Writer{Buf: make([]byte, 0, len(in.Body)+len(in.Body)/8+1024)}
	p.Losses = append(p.Losses, codec.EncodeRequest(w, p.Request, t)...)
	if t.Strict {
		if err := dialect.Refuse(p.Losses); err != nil {
			return nil, err
		}
	}
	body := rewriteBody(to.Provider, w.Bytes())
	if onPlan(to.Account) {
		var losses []proxy.Loss
		body, losses = planBody(body)
		p.Losses = append(p.Losses, losses...)
	}
	url := join(baseURL(to, at), codec.Path(req.Op, to.Model.ID, req.Stream), "", to.Provider)
	r, src, err := s.exchange(ctx, in, to, url, body, codec)
	if err != nil || r.Fault != nil {
		return r, err
	}
	r.Losses = p.Losses
	back := dialect.NewReturn(p, &dialect.Caller{Dialect: in.Dialect, ID: in.ID}, t.Origin, s.memory(at.Dialect, t))
	if err := s.receive(r, src, codec, back, in); err != nil {
		r.Close()
		return nil, err
	}
	s.weighs(r, req, at.Dialect)
	return r, nil
}

// memory is where the way back keeps what the caller cannot: only for dialects
// and models that want something back.
func (s *Sender) memory(d proxy.Dialect, t *dialect.Target) *dialect.Replay {
	switch d {
	case proxy.AnthropicMessages, proxy.OpenAIResponses, proxy.Gemini:
		return s.replay
	case proxy.OpenAIChat:
		if t.Policy.NeedReasoning {
			return s.replay
		}
	}
	return nil
}

// exchange sends a body and gives the open answer, or its fault.
func (s *Sender) exchange(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, url string, body []byte, codec dialect.Codec) (*proxy.Reply, *watchedBody, error) {
	h := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}}
	if codec.Dialect() == proxy.AnthropicMessages {
		h["Anthropic-Version"] = []string{"2023-06-01"}
	}
	resp, dog, key, err := s.postAs(ctx, to, url, h, newPayload(body, [2]int{}, nil)) //nolint:bodyclose // openBody takes it
	if err != nil {
		return nil, nil, err
	}
	r := &proxy.Reply{Candidate: to, Status: resp.StatusCode, Header: resp.Header, Limits: limitsOf(resp.Header, time.Now())}
	src, err := openBody(resp, dog)
	if err != nil {
		return nil, nil, err
	}
	r.OnClose(src.Close)
	if resp.StatusCode/100 != 2 {
		readFault(r, src, codec)
		r.Fault = fault.As(signedOut(r.Fault, to.Account))
		r.Native = nil // another dialect's words
		hideKey(r, key)
		attribute(r.Fault, to, in)
	}
	return r, src, nil
}

// attribute says in the message whose words they are, and where the log has more.
func attribute(f *fault.Error, to *proxy.Candidate, in *proxy.Inbound) {
	f.Message = f.Text() + " (provider=" + to.Provider.ID + ", account=" + to.Account.Name + ", request_id=" + in.ID + ")"
}

// receive turns the provider's answer into an Answer or a Source, as the
// provider sends it; the caller's side makes a stream of the one and the other.
func (s *Sender) receive(r *proxy.Reply, src *watchedBody, codec dialect.Codec, back *dialect.Return, in *proxy.Inbound) error {
	contentType := r.Header.Get("Content-Type")
	kind := kindOf(contentType)
	if kind == kindHTML {
		b, _ := readAll(src, -1)
		return checkJSON(b, kind, src.host, contentType, nil)
	}
	if in.Stream {
		kind, contentType = sniff(src, codec.Dialect(), kind, contentType)
	}
	if kind == kindStream || in.Stream && kind != kindJSON {
		return receiveStream(r, newSource(src, codec, contentType, back), in)
	}
	length := int64(-1)
	if n, err := strconv.ParseInt(r.Header.Get("Content-Length"), 10, 64); err == nil {
		length = n
	}
	b, err := readAll(src, length)
	if err != nil {
		return err
	}
	if looksLikeStream(b) {
		src.ahead, src.err = b, io.EOF
		return receiveStream(r, newSource(src, codec, "text/event-stream", back), in)
	}
	if err := checkJSON(b, kind, src.host, contentType, nil); err != nil {
		return err
	}
	doc, err := jsondoc.Parse(b)
	if err != nil {
		return fault.New(fault.UpstreamBadJSON, "%s sent a broken answer: %w", src.host, err)
	}
	if r.Answer, err = codec.DecodeAnswer(doc); err != nil {
		f := fault.As(err)
		attribute(f, r.Candidate, in)
		return f
	}
	r.Losses = append(r.Losses, r.Answer.Losses...)
	back.Answer(r.Answer)
	return nil
}

func receiveStream(r *proxy.Reply, source *source, in *proxy.Inbound) error {
	if err := source.prime(); err != nil {
		var f *fault.Error
		if errors.As(err, &f) && f.Wire != nil {
			attribute(f, r.Candidate, in)
		}
		return err
	}
	r.Events = source
	return nil
}
