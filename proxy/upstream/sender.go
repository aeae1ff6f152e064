package upstream

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// Keys gives the secret of an account.
type Keys interface {
	// Key returns a *fault.Error with code KeyNotStored when there is none.
	Key(ctx context.Context, p *proxy.Provider, a *proxy.Account) (secret.Value, error)
	// Renew gives a fresh key after the provider refused used with a 401. For
	// accounts whose key cannot be renewed it returns a *fault.Error.
	Renew(ctx context.Context, p *proxy.Provider, a *proxy.Account, used secret.Value) (secret.Value, error)
}

// Options are what a Sender works by. They may change while requests run; each
// request uses those it began with.
type Options struct {
	Strict         bool
	ShareReasoning bool
	FetchMedia     bool
	Connect        time.Duration // 0: no limit
	FirstByte      time.Duration // 0: no limit
	Idle           time.Duration // 0: no limit
}

// Sender sends requests to providers. It implements proxy.Sender.
type Sender struct {
	// transport is used bare: redirects are never followed, so that a key is
	// not carried to another host.
	transport *http.Transport
	direct    *direct
	keys      Keys
	options   func() Options
	userAgent string
	replay    *dialect.Replay
	learned   *learned
	scales    scales
	log       *slog.Logger
}

var _ proxy.Sender = (*Sender)(nil)

// NewSender makes a Sender that names itself KorProxy/version.
func NewSender(version string, keys Keys, options func() Options, log *slog.Logger) *Sender {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		d := &net.Dialer{Timeout: options().Connect, KeepAlive: 30 * time.Second}
		return d.DialContext(ctx, network, address)
	}
	return &Sender{
		transport: newTransport(dial),
		direct:    newDirect(dial),
		keys:      keys,
		options:   options,
		userAgent: userAgent(version),
		replay:    dialect.NewReplay(),
		learned:   newLearned(time.Now),
		scales:    scales{models: map[string]scale{}},
		log:       log,
	}
}

// newTransport is made for many small streamed answers: connections are kept,
// bodies are never decompressed behind our back, and the buffers are small.
func newTransport(dial dialer) *http.Transport {
	return &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       dial,
		ForceAttemptHTTP2: true,
		// Streams bring a few hundred bytes at a time, and there may be
		// thousands of them.
		ReadBufferSize:        1 << 10,
		WriteBufferSize:       2 << 10,
		MaxIdleConns:          4096,
		MaxIdleConnsPerHost:   4096,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
		HTTP2: &http.HTTP2Config{
			// A caller that reads slowly holds this much of its answer here, and
			// the provider waits.
			MaxReceiveBufferPerStream: 256 << 10,
			// A connection that died with the network it was made in is noticed,
			// before one request after another waits on it.
			SendPingTimeout: 30 * time.Second,
			PingTimeout:     15 * time.Second,
		},
	}
}

// Close drops idle connections.
func (s *Sender) Close() {
	s.transport.CloseIdleConnections()
	s.direct.close()
}

// Send implements proxy.Sender.
func (s *Sender) Send(ctx context.Context, in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	if reply := s.loaded(in, to); reply != nil {
		return reply, nil
	}
	if to.Provider.Sandbox {
		return s.sandbox(in, to)
	}
	if surface, ok := s.native(in, to); ok {
		reply, err := s.sendNative(ctx, in, to, surface)
		if in.Op == proxy.OpCount && err == nil && noCounter(reply.Fault) {
			reply.Close()
			return s.estimated(in, to)
		}
		return reply, err
	}
	switch in.Op {
	case proxy.OpEmbed:
		return s.sendEmbedding(ctx, in, to)
	case proxy.OpCount:
		return s.sendCount(ctx, in, to)
	case proxy.OpGenerate, proxy.OpComplete:
		return s.sendTranslated(ctx, in, to)
	}
	return nil, fault.New(fault.NotOffered, "%s has no operation %q", to.Provider.Name, in.Op)
}

// native says whether the provider serves this very operation in the caller's
// dialect.
func (s *Sender) native(in *proxy.Inbound, to *proxy.Candidate) (proxy.Surface, bool) {
	p := to.Provider
	if onPlan(to.Account) {
		return proxy.Surface{}, false // the caller's bytes would not be taken as they are
	}
	switch in.Op {
	case proxy.OpEmbed:
		surface, ok := p.Surface(p.Embeddings)
		return surface, ok && p.Embeddings == in.Dialect
	case proxy.OpComplete:
		if in.Dialect == proxy.Ollama {
			return p.Surface(proxy.Ollama)
		}
		surface, ok := p.Surface(proxy.OpenAIChat)
		return surface, ok && p.Completions == "openai"
	case proxy.OpCount:
		surface, ok := p.Surface(in.Dialect)
		return surface, ok && p.CountTokens
	}
	return p.Surface(in.Dialect)
}

// loaded answers for providers that load no models; nil is for all other requests.
func (s *Sender) loaded(in *proxy.Inbound, to *proxy.Candidate) *proxy.Reply {
	if in.Dialect != proxy.Ollama || in.Op != proxy.OpGenerate && in.Op != proxy.OpComplete {
		return nil
	}
	if _, native := s.native(in, to); native {
		return nil
	}
	b, ok := dialect.OllamaLoad(in.Body, &dialect.Caller{Model: in.Model, Created: in.Began.Unix(), Generate: in.Op == proxy.OpComplete})
	if !ok {
		return nil
	}
	return &proxy.Reply{Candidate: to, Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Whole: b}
}
