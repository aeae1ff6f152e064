package upstream

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// The times of the model lists.
const (
	listLife    = 10 * time.Minute // a list older than this is read again
	listRetry   = 30 * time.Second // a provider that failed is left alone for this long
	listTimeout = 10 * time.Second
	localLimit  = 300 * time.Millisecond // a local server that is not there costs no more
	maxPages    = 50
	maxMerged   = 256
)

// Lists remembers which models each provider has. Reading is never held up by
// a provider: lists are refreshed in the background and kept on disk between
// runs.
type Lists struct {
	sender *Sender
	file   string // "" keeps nothing
	log    *slog.Logger
	// Read is called when a list was read, or could not be; nil is nobody. It is
	// set before the first Refresh, and returns at once.
	Read func()

	mu      sync.Mutex // guards what follows
	entries map[string]listEntry
	running map[string]chan struct{} // closed when that provider's refresh ends
	tried   map[string]time.Time
	merged  map[*proxy.Provider][]proxy.Model // what Known gives, until a list changes
	closed  bool
	wg      sync.WaitGroup
	saving  sync.Mutex // one save at a time, the newest last
	ctx     context.Context
	cancel  context.CancelFunc
}

type listEntry struct {
	Models []proxy.Model `json:"models"`
	At     time.Time     `json:"at"`
	Base   string        `json:"base"` // the address that gave it
}

// NewLists makes the lists of s, beginning with those kept in file.
func NewLists(s *Sender, file string, log *slog.Logger) *Lists {
	l := &Lists{sender: s, file: file, log: log, entries: map[string]listEntry{}, running: map[string]chan struct{}{}, tried: map[string]time.Time{}, merged: map[*proxy.Provider][]proxy.Model{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if file != "" {
		if b, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(b, &l.entries); err != nil {
				log.Warn("the cached model lists are damaged and will be read again", "error", err)
			}
		}
	}
	if l.entries == nil {
		l.entries = map[string]listEntry{}
	}
	return l
}

// Close stops the refreshing and waits for it.
func (l *Lists) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.wg.Wait()
}

// Known gives the models of a provider: its own list and those of its
// catalogue row. The list is shared: read only. ok is false while the
// provider's own list has never been read.
func (l *Lists) Known(p *proxy.Provider) (models []proxy.Model, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[p.ID]
	if ok && e.Base != address(p) {
		e, ok = listEntry{}, false
	}
	if !ok {
		return p.Models, false
	}
	if m, made := l.merged[p]; made {
		return m, true
	}
	models = merge(p, e)
	if len(l.merged) > maxMerged {
		clear(l.merged) // of configurations that are gone
	}
	l.merged[p] = models
	return models, true
}

// merge adds the catalogue's models to a provider's own list.
func merge(p *proxy.Provider, e listEntry) []proxy.Model {
	models := make([]proxy.Model, 0, len(e.Models)+len(p.Models))
	seen := map[string]bool{}
	for _, m := range e.Models {
		seen[m.ID] = true
		models = append(models, described(p, m))
	}
	for _, m := range p.Models {
		if !seen[m.ID] {
			models = append(models, m)
		}
	}
	return models
}

// described adds what the catalogue knows to what the provider lists. The
// provider's own limits win.
func described(p *proxy.Provider, m proxy.Model) proxy.Model {
	if p.Describe == nil {
		m.Provider = p.ID
		return m
	}
	d := p.Describe(m.ID)
	if m.Context > 0 {
		d.Context = m.Context
	}
	if m.Output > 0 {
		d.Output = m.Output
	}
	if m.Name != "" {
		d.Name = m.Name
	}
	d.Created = m.Created
	return d
}

func address(p *proxy.Provider) string {
	if len(p.Surfaces) == 0 {
		return ""
	}
	return p.Surfaces[0].BaseURL
}

// Refresh begins to read the lists that are missing or old. The channel is
// closed when all that it began, and all that was under way, has ended.
func (l *Lists) Refresh(providers map[string]*proxy.Provider, accounts []proxy.Account) <-chan struct{} {
	done := make(chan struct{})
	var wait []chan struct{}
	l.mu.Lock()
	seen := map[string]bool{}
	for _, a := range accounts {
		p := providers[a.Provider]
		if p == nil || seen[p.ID] || p.Sandbox || p.ModelsPath == "none" {
			continue
		}
		seen[p.ID] = true
		if c, busy := l.running[p.ID]; busy {
			wait = append(wait, c)
			continue
		}
		e, known := l.entries[p.ID]
		fresh := known && e.Base == address(p) && time.Since(e.At) < listLife
		if l.closed || fresh || time.Since(l.tried[p.ID+address(p)]) < listRetry {
			continue
		}
		c := make(chan struct{})
		l.running[p.ID], l.tried[p.ID+address(p)] = c, time.Now()
		wait = append(wait, c)
		l.wg.Go(func() { l.read(p, a, c) })
	}
	if len(wait) == 0 || l.closed {
		close(done)
	} else {
		l.wg.Go(func() {
			for _, c := range wait {
				<-c
			}
			close(done)
		})
	}
	l.mu.Unlock()
	return done
}

func (l *Lists) read(p *proxy.Provider, a proxy.Account, done chan struct{}) {
	limit := listTimeout
	if p.Local && a.Name == proxy.ImplicitAccount && !p.Configured {
		limit = localLimit
	}
	ctx, cancel := context.WithTimeout(l.ctx, limit)
	defer cancel()
	models, err := l.sender.ListModels(ctx, p, a)
	l.mu.Lock()
	if err == nil {
		clear(l.merged)
		l.entries[p.ID] = listEntry{Models: models, At: time.Now(), Base: address(p)}
	}
	delete(l.running, p.ID)
	close(done)
	l.mu.Unlock()
	if l.Read != nil {
		l.Read()
	}
	if err != nil {
		l.log.Debug("a model list was not read", "provider", p.ID, "error", err)
		return
	}
	l.save()
}

// save keeps the lists for the next run. Requests ask for lists all the time,
// so the disk is not waited for under their lock.
func (l *Lists) save() {
	if l.file == "" {
		return
	}
	l.saving.Lock()
	defer l.saving.Unlock()
	l.mu.Lock()
	entries := maps.Clone(l.entries)
	l.mu.Unlock()
	b, err := json.Marshal(entries)
	if err == nil {
		err = atomicfile.Write(l.file, b, 0o600)
	}
	if err != nil {
		l.log.Warn("the model lists were not saved", "error", err)
	}
}

// ListModels asks a provider for its models.
func (s *Sender) ListModels(ctx context.Context, p *proxy.Provider, a proxy.Account) ([]proxy.Model, error) {
	at, err := surfaceFor(p)
	if err != nil {
		return nil, err
	}
	codec := dialect.For(at.Dialect)
	lister, ok := codec.(dialect.Lister)
	if !ok { // the Responses API lists models as the chat API does
		lister = dialect.For(proxy.OpenAIChat).(dialect.Lister)
	}
	path := p.ModelsPath
	if path == "" {
		path = lister.ModelsPath()
	}
	var all []proxy.Model
	for page := 0; path != "" && page < maxPages; page++ {
		doc, err := s.getJSON(ctx, p, &a, join(baseURL(&proxy.Candidate{Provider: p, Account: &a}, at), path, "", p), codec)
		if err != nil {
			return nil, err
		}
		models, next, err := lister.DecodeModels(doc)
		if err != nil {
			return nil, err
		}
		all, path = append(all, models...), next
	}
	return all, nil
}

func (s *Sender) getJSON(ctx context.Context, p *proxy.Provider, a *proxy.Account, url string, codec dialect.Codec) (*jsondoc.Doc, error) {
	h := http.Header{"Accept": {"application/json"}}
	if codec.Dialect() == proxy.AnthropicMessages {
		h["Anthropic-Version"] = []string{"2023-06-01"}
	}
	key, err := s.authorize(ctx, h, p, a)
	if err != nil {
		return nil, err
	}
	doc, err := s.getOnce(ctx, url, h, codec, key)
	if err == nil || !a.SignedIn() || fault.As(err).Status != http.StatusUnauthorized {
		return doc, err
	}
	if key, err = s.keys.Renew(ctx, p, a, key); err != nil {
		return nil, signedOut(err, a)
	}
	h = h.Clone()
	putKey(h, p, a, key)
	doc, err = s.getOnce(ctx, url, h, codec, key)
	return doc, signedOut(err, a)
}

func (s *Sender) getOnce(ctx context.Context, url string, h http.Header, codec dialect.Codec, key secret.Value) (*jsondoc.Doc, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fault.New(fault.UpstreamNetwork, "the provider's address is not usable: %w", err)
	}
	req.Header = h
	resp, err := s.transport.RoundTrip(req) //nolint:bodyclose // openBody takes it
	if err != nil {
		return nil, networkFault(err, req.URL.Host)
	}
	src, err := openBody(resp, newWatchdog(ctx, 0, 0))
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if resp.StatusCode != http.StatusOK {
		r := &proxy.Reply{Status: resp.StatusCode, Header: resp.Header}
		readFault(r, src, codec)
		hideKey(r, key)
		return nil, r.Fault
	}
	b, err := readAll(src, -1)
	if err != nil {
		return nil, err
	}
	if err := checkJSON(b, kindOf(resp.Header.Get("Content-Type")), src.host, resp.Header.Get("Content-Type"), nil); err != nil {
		return nil, err
	}
	doc, err := jsondoc.Parse(b)
	if err != nil {
		return nil, fault.New(fault.UpstreamBadJSON, "%s sent a broken list: %w", strings.TrimSpace(src.host), err)
	}
	return doc, nil
}
