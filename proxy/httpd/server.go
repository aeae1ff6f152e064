package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// Settings are what the server works by. They may change between requests.
type Settings struct {
	RequireKey    bool
	AllowedHosts  []string // beside the loopback names
	BodyLimit     int64    // bytes
	HeaderTimeout time.Duration
	KeepAlive     time.Duration // of idle connections
}

// Doer answers requests: the Engine.
type Doer interface {
	Do(ctx context.Context, in *proxy.Inbound) (*proxy.Reply, error)
}

// Models tells which models can be asked for.
type Models interface {
	// Models gives what the accounts can reach, under the names callers use.
	// It does not wait for providers but on the very first call.
	Models(ctx context.Context) []proxy.Model
	// Model finds one by the name a caller uses, or gives the *fault.Error that
	// a request for it would get.
	Model(ctx context.Context, name string) (proxy.Model, error)
}

// Options are the parts a Server is made of.
type Options struct {
	Doer     Doer
	Health   proxy.Health   // hears of streams that failed; may be nil
	Recorder proxy.Recorder // keeps records of requests; may be nil
	Books    Books          // what was written down; may be nil
	Models   Models
	Keys     *Keys
	Settings func() Settings
	Control  Control
	Metrics  *Metrics
	Version  string
	Build    string // see HeaderBuild
	Log      *slog.Logger

	// Refused hears of requests that were turned away at the door, with the name the
	// caller gives itself; it returns at once. It may be nil.
	Refused func(code fault.Code, caller string)

	// Editor serves an editor's forwarder, Handover gives the listeners to a newer
	// daemon; they return when the connection is done with. Either may be nil.
	Editor   func(ctx context.Context, conn net.Conn)
	Handover func(ctx context.Context, conn net.Conn)
}

// Server serves callers.
type Server struct {
	Options
	draining atomic.Bool
	closing  atomic.Bool  // see Closing
	retiring atomic.Bool  // another daemon has the listeners
	conns    atomic.Int64 // connections that are open
	open     atomic.Int64 // requests under way
	items    *dialect.Items
	quiet    chan struct{} // closed when the last request has ended while draining
	callers  http.Handler  // the port
	admin    http.Handler  // the socket

	mu      sync.Mutex // guards what follows
	servers []*http.Server

	base context.Context // of all requests
	cut  context.CancelCauseFunc

	lasting time.Duration // how long a stream runs before its connection is taken over

	// Of its own, as Shutdown waits for requests with mu held.
	taking sync.Mutex // guards what follows
	taken  map[*hijacked]struct{}
	closed bool // Shutdown has closed them
}

// New makes a Server. Serve starts it.
func New(o Options) *Server {
	s := &Server{Options: o, quiet: make(chan struct{}), items: dialect.NewItems(), lasting: lasting, taken: map[*hijacked]struct{}{}}
	s.base, s.cut = context.WithCancelCause(context.Background())
	s.callers = s.guarded(s.routes())
	s.admin = s.recovered(s.onSocket())
	return s
}

// Callers is the handler of the port.
func (s *Server) Callers() http.Handler { return s.callers }

// ServePort serves callers on l until Shutdown. ServeSocket does the same for
// the management API.
func (s *Server) ServePort(l net.Listener) error { return s.serve(l, s.callers) }

// ServeSocket serves the management API on l; the file's mode is its guard.
func (s *Server) ServeSocket(l net.Listener) error { return s.serve(l, s.admin) }

func (s *Server) serve(l net.Listener, h http.Handler) error {
	set := s.Settings()
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: set.HeaderTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      stalled, // moved on by each write: a deadline left by one answer would cut the next on its connection
		IdleTimeout:       set.KeepAlive,
		MaxHeaderBytes:    256 << 10,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ConnContext:       withConn,
		ConnState:         s.counted,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	s.mu.Lock()
	if s.draining.Load() { // Shutdown came first, and would not find this one
		s.mu.Unlock()
		return nil
	}
	s.servers = append(s.servers, srv)
	s.mu.Unlock()
	err := srv.Serve(gatheringListener{l, srv})
	if errors.Is(err, http.ErrServerClosed) || s.retiring.Load() && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// lastWords is how long what is cut off has to tell its caller so.
const lastWords = time.Second

// Shutdown refuses new requests with a 503 and lets those under way end until
// ctx is done; what is still open then is cut, with an error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.enter()
	s.draining.Store(true)
	s.leave()
	select {
	case <-s.quiet:
	case <-ctx.Done():
		s.cut(proxy.ErrStopping)
		select {
		case <-s.quiet:
		case <-time.After(lastWords):
		}
	}
	s.closeTaken()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all error
	for _, srv := range s.servers {
		if err := srv.Shutdown(ctx); err != nil {
			all = errors.Join(all, err, srv.Close())
		}
	}
	return all
}

// Open is the number of requests under way.
func (s *Server) Open() int64 { return s.open.Load() }

// enter and leave count a request. A request that comes in while draining is
// counted too until it is refused, so the last one may be seen to leave more
// than once.
func (s *Server) enter() { s.open.Add(1) }

func (s *Server) leave() {
	if s.open.Add(-1) == 0 && s.draining.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
		select {
		case <-s.quiet:
		default:
			close(s.quiet)
		}
	}
}

// routes is every address of the port. Paths arrive without a key and without
// a doubled version.
func (s *Server) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead)
	for path := range fixed {
		r.Post(path, func(http.ResponseWriter, *http.Request) {}) // served before the router; here for 405
	}
	for _, path := range [...]string{"/v1/responses", "/responses"} {
		r.Get(path, s.noWebSocket)
		r.HandleFunc(path+"/*", s.noStored)
	}
	r.Get("/v1/models", s.listModels)
	r.Get("/models", s.listModels)
	r.Get("/v1/models/*", s.oneModel)
	r.Get("/models/*", s.oneModel)
	r.Get("/v1beta/models", s.listModels)
	r.Get("/v1beta/models/*", s.oneModel)
	r.Post("/v1beta/models/*", s.gemini)
	r.Post("/v1/models/*", s.gemini)
	r.Post("/v1beta/*", s.gemini) // the AI SDK leaves "models/" out before a name with a slash
	s.ollamaRoutes(r)
	r.Get("/", s.root)
	r.Head("/", s.root)
	r.Head("/v1", s.root) // Claude Code with a base URL that ends so
	r.Get("/healthz", s.health)
	r.Head("/healthz", s.health)
	r.Get("/readyz", s.ready)
	r.Handle("/metrics", s.Metrics.Handler())
	r.Mount("/korproxy/v1", s.management())
	r.NotFound(func(w http.ResponseWriter, req *http.Request) {
		s.refuse(w, req, fault.New(fault.NoRoute, "nothing is served at %s %s", req.Method, req.URL.Path))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		for _, method := range [...]string{http.MethodGet, http.MethodHead, http.MethodPost} {
			if r.Match(chi.NewRouteContext(), method, req.URL.Path) {
				w.Header().Add("Allow", method)
			}
		}
		s.refuse(w, req, fault.New(fault.MethodRefused, "%s is not served at %s", req.Method, req.URL.Path))
	})
	return r
}

// endpoint is one operation of a dialect.
type endpoint struct {
	dialect proxy.Dialect
	op      proxy.Op
	variant string // proxy.Inbound.Variant
	stream  bool   // streams unless the caller says no
	paths   []string
}

// fixed finds the endpoint of a path without asking the router, which costs as
// much as all else that is done with a small request here.
var fixed = func() map[string]*endpoint {
	m := map[string]*endpoint{}
	for i := range endpoints {
		for _, path := range endpoints[i].paths {
			m[path] = &endpoints[i]
		}
	}
	return m
}()

// endpoints is every operation with a fixed path. Each OpenAI path is served
// without its version too, for tools that were given a base URL without one.
var endpoints = []endpoint{
	{dialect: proxy.OpenAIChat, op: proxy.OpGenerate, paths: []string{"/v1/chat/completions", "/chat/completions"}},
	{dialect: proxy.OpenAIResponses, op: proxy.OpGenerate, paths: []string{"/v1/responses", "/responses"}},
	{dialect: proxy.OpenAIResponses, op: proxy.OpCount, paths: []string{"/v1/responses/input_tokens", "/responses/input_tokens"}},
	{dialect: proxy.OpenAIResponses, op: proxy.OpCompact, paths: []string{"/v1/responses/compact", "/responses/compact"}},
	{dialect: proxy.OpenAICompletions, op: proxy.OpComplete, paths: []string{"/v1/completions", "/completions"}},
	{dialect: proxy.OpenAIChat, op: proxy.OpEmbed, paths: []string{"/v1/embeddings", "/embeddings"}},
	{dialect: proxy.AnthropicMessages, op: proxy.OpGenerate, paths: []string{"/v1/messages", "/messages"}},
	{dialect: proxy.AnthropicMessages, op: proxy.OpCount, paths: []string{"/v1/messages/count_tokens", "/messages/count_tokens"}},
	{dialect: proxy.Ollama, op: proxy.OpGenerate, stream: true, paths: []string{"/api/chat"}},
	{dialect: proxy.Ollama, op: proxy.OpComplete, variant: "generate", stream: true, paths: []string{"/api/generate"}},
	{dialect: proxy.Ollama, op: proxy.OpEmbed, variant: "embed", paths: []string{"/api/embed"}},
	{dialect: proxy.Ollama, op: proxy.OpEmbed, variant: "embeddings", paths: []string{"/api/embeddings"}},
}
