package upstream

import (
	"context"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// sendEmbedding takes an embedding request to a provider of another dialect.
func (s *Sender) sendEmbedding(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	at, ok := to.Provider.Surface(to.Provider.Embeddings)
	if to.Provider.Embeddings == "" || !ok {
		return nil, fault.New(fault.NotOffered, "%s has no embeddings: choose an embedding model of another provider", to.Provider.Name)
	}
	codec := dialect.For(at.Dialect)
	target, isEmbedder := codec.(dialect.Embedder)
	caller, fromEmbedder := dialect.For(in.Dialect).(dialect.Embedder)
	if !isEmbedder || !fromEmbedder {
		return nil, fault.New(fault.NotOffered, "%s has no embeddings in a form this proxy can translate", to.Provider.Name)
	}
	doc, err := jsondoc.Parse(in.Body)
	if err != nil {
		return nil, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err)
	}
	req, err := caller.DecodeEmbed(doc, in.Variant, pathModel(in))
	if err != nil {
		return nil, err
	}
	if len(req.Tokens) > 0 && at.Dialect != proxy.OpenAIChat {
		return nil, fault.New(fault.PartRefused, "input: %s takes texts, not the tokens of another model: send texts, or choose an embedding model of a provider with OpenAI's API", to.Provider.Name)
	}
	t := s.target(to, at.Dialect)
	var w jsondoc.Writer
	losses := target.EncodeEmbed(&w, req, t)
	if t.Strict {
		if err := dialect.Refuse(losses); err != nil {
			return nil, err
		}
	}
	url := join(baseURL(to, at), target.EmbedPath(to.Model.ID, len(req.Inputs)), "", to.Provider)
	r, doc, err := s.exchangeJSON(ctx, in, to, url, w.Bytes(), codec)
	if err != nil || r.Fault != nil {
		return r, err
	}
	r.Losses = losses
	if r.Vectors, err = target.DecodeVectors(doc); err != nil {
		return nil, err
	}
	if got, want := len(r.Vectors.Items), max(1, len(req.Inputs)+len(req.Tokens)); got != want {
		return nil, fault.New(fault.UpstreamBadJSON, "%s sent %d vectors for %d inputs", to.Provider.Name, got, want)
	}
	return r, nil
}

// exchangeJSON is exchange for an answer that is one JSON document. The
// connection is done with when it returns.
func (s *Sender) exchangeJSON(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate, url string, body []byte, codec dialect.Codec) (*proxy.Reply, *jsondoc.Doc, error) {
	r, src, err := s.exchange(ctx, in, to, url, body, codec)
	if err != nil || r.Fault != nil {
		return r, nil, err
	}
	defer r.Close()
	b, err := readAll(src, -1)
	if err != nil {
		return nil, nil, err
	}
	if err := checkJSON(b, kindOf(r.Header.Get("Content-Type")), src.host, r.Header.Get("Content-Type"), nil); err != nil {
		return nil, nil, err
	}
	doc, err := jsondoc.Parse(b)
	if err != nil {
		return nil, nil, fault.New(fault.UpstreamBadJSON, "%s sent a broken answer: %w", src.host, err)
	}
	return r, doc, nil
}
