package upstream

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy"
)

//go:embed catalogue.toml
var catalogueTOML string

// catalogue is the file's form.
type catalogue struct {
	Providers map[string]config.Provider `toml:"providers"`
	Families  []family                   `toml:"families"`
}

// family is what the models of one family take, whoever serves them.
type family struct {
	Match          []string `toml:"match"`
	Context        int64    `toml:"context"`
	Output         int64    `toml:"output"`
	Embedding      bool     `toml:"embedding"`
	Insert         bool     `toml:"insert"`
	Thinking       string   `toml:"thinking"`
	Effort         []string `toml:"effort"`
	MinBudget      int64    `toml:"min_budget"`
	MaxBudget      int64    `toml:"max_budget"`
	NoSampling     bool     `toml:"no_sampling"`
	OneSampler     bool     `toml:"one_sampler"`
	NoStop         bool     `toml:"no_stop"`
	NoPrefill      bool     `toml:"no_prefill"`
	NoSchema       bool     `toml:"no_schema"`
	CompletionsMax bool     `toml:"completions_max"`
	MidSystem      bool     `toml:"mid_system"`
	Signatures     bool     `toml:"signatures"`
	ResultParts    bool     `toml:"result_parts"`
	SchemaSubset   bool     `toml:"schema_subset"`
	NeedReasoning  bool     `toml:"need_reasoning"`
	NoForceThink   bool     `toml:"no_force_think"`
}

// builtin is the embedded catalogue, read once.
var builtin = sync.OnceValue(func() catalogue {
	var c catalogue
	meta, err := toml.Decode(catalogueTOML, &c)
	if err != nil {
		panic(fmt.Sprintf("the embedded catalogue is broken: %v", err))
	}
	if rest := meta.Undecoded(); len(rest) > 0 {
		panic(fmt.Sprintf("the embedded catalogue has unknown keys: %v", rest))
	}
	return c
})

// Rows are the built-in rows by provider id. The map is shared: read only.
func Rows() map[string]config.Provider { return builtin().Providers }

// Providers gives every provider: the built-in rows with the overrides of
// the configuration, and those it adds, by id.
func Providers(overrides map[string]config.Provider) map[string]*proxy.Provider {
	out := make(map[string]*proxy.Provider, len(Rows())+len(overrides)+1)
	for id, row := range Rows() {
		if over, ok := overrides[id]; ok {
			row = override(row, over)
		}
		out[id] = resolve(id, row)
	}
	for id, row := range overrides {
		if _, ok := Rows()[id]; !ok {
			out[id] = resolve(id, row)
			out[id].Local = row.Local.Or(onThisMachine(row.BaseURL) && len(row.KeyEnv) == 0 && len(row.Connect) == 0)
		}
		out[id].Configured = true
	}
	out[SandboxID] = &proxy.Provider{
		ID: SandboxID, Name: "Sandbox", Sandbox: true, Local: true, Auth: "none", Status: "supported",
		Policy: "Built in; answers when no account is connected.",
		Models: []proxy.Model{{ID: SandboxID, Provider: SandboxID, Name: "KorProxy sandbox", Context: 128000, Output: 4096}},
	}
	return out
}

// onThisMachine says whether a URL leads to a loopback address. A server there
// needs no key unless its table says so.
func onThisMachine(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// override applies a user's table to a row. A new base URL moves the surfaces
// that share the old one's host; a new dialect leaves only itself.
func override(row, over config.Provider) config.Provider {
	if over.Dialect != "" && over.Dialect != row.Dialect {
		row.Surfaces, row.Completions = nil, ""
	}
	if over.BaseURL != "" && over.Surfaces == nil {
		moved := make(map[string]string, len(row.Surfaces))
		for d, base := range row.Surfaces {
			if base == "" || d == row.Dialect {
				moved[d] = base
				continue
			}
			moved[d] = rebase(base, over.BaseURL)
		}
		row.Surfaces = moved
	}
	return row.Merge(over)
}

// rebase puts the path of a surface behind another scheme and host.
func rebase(surface, base string) string {
	scheme, rest, ok := strings.Cut(base, "://")
	if !ok {
		return surface
	}
	host, _, _ := strings.Cut(rest, "/")
	_, tail, _ := strings.Cut(surface, "://")
	_, tail, _ = strings.Cut(tail, "/")
	return strings.TrimSuffix(scheme+"://"+host+"/"+tail, "/")
}

func resolve(id string, row config.Provider) *proxy.Provider {
	p := &proxy.Provider{
		ID: id, Name: row.Name, Auth: row.Auth, Local: row.Local.Is(), ModelsPath: row.ModelsPath, APIVersion: row.APIVersion,
		Status: row.Status, Policy: row.Policy, Quirks: row.Quirks, KeyEnv: row.KeyEnv,
		Fast: row.Fast, Smart: row.Smart,
	}
	if p.Name == "" {
		p.Name = id
	}
	if len(row.Headers) > 0 {
		p.Headers = http.Header{}
		for k, v := range row.Headers {
			p.Headers.Set(k, v)
		}
	}
	primary := proxy.Dialect(row.Dialect)
	base := normalize(row, row.Dialect, row.BaseURL)
	if slices.Contains(row.Quirks, "vertex") {
		base = vertexBase(row)
	}
	p.Surfaces = append(p.Surfaces, proxy.Surface{Dialect: primary, BaseURL: base})
	for _, d := range slices.Sorted(maps.Keys(row.Surfaces)) {
		at := row.Surfaces[d]
		switch {
		case proxy.Dialect(d) == primary || at == "off":
			continue
		case at == "":
			p.Surfaces = append(p.Surfaces, proxy.Surface{Dialect: proxy.Dialect(d), BaseURL: base})
		default:
			p.Surfaces = append(p.Surfaces, proxy.Surface{Dialect: proxy.Dialect(d), BaseURL: normalize(row, d, at)})
		}
	}
	if p.Auth == "" {
		p.Auth = defaultAuth(primary)
	}
	p.Completions = row.Completions
	if p.Completions == "chat" || p.Completions == "none" {
		p.Completions = ""
	}
	if row.Embeddings.Is() || row.Embeddings == config.Unset && row.Name == "" {
		p.Embeddings = embedDialect(p)
	}
	p.CountTokens = primary == proxy.AnthropicMessages || primary == proxy.Gemini || id == "openai"
	for _, m := range row.Models {
		if !strings.HasSuffix(m.ID, "*") {
			known, _ := row.Model(m.ID)
			p.Models = append(p.Models, modelOf(id, row, known))
		}
	}
	p.Ways = ways(row.Connect)
	p.Describe = remembered(func(model string) proxy.Model {
		known, _ := row.Model(model)
		return modelOf(id, row, known)
	})
	return p
}

// wayOrder is the order in which ways are shown and chosen.
var wayOrder = []proxy.WayKind{proxy.WayBrowser, proxy.WayDevice, proxy.WayChatGPT, proxy.WayADC, proxy.WayServiceAccount, proxy.WayClientCredentials}

// ways are a row's ways to connect. One the user brought needs no status.
func ways(rows map[string]config.Way) []proxy.Way {
	var out []proxy.Way
	for _, kind := range wayOrder {
		r, ok := rows[string(kind)]
		if !ok {
			continue
		}
		out = append(out, proxy.Way{
			Kind: kind, Title: cmp.Or(r.Title, wayTitles[kind]), Status: cmp.Or(r.Status, "supported"), Policy: r.Policy, Source: r.PolicySource, Date: r.PolicyDate,
			Issuer: r.Issuer, AuthorizeURL: r.AuthorizeURL, TokenURL: r.TokenURL, DeviceURL: r.DeviceURL, RevokeURL: r.RevokeURL,
			ClientID: r.ClientID, SecretEnv: r.SecretEnv, Scopes: r.Scopes, Params: r.Params, Resource: r.Resource, RequiredScope: r.RequiredScope,
			RedirectHost: cmp.Or(r.RedirectHost, "127.0.0.1"), RedirectPort: int(r.RedirectPort), RedirectPath: cmp.Or(r.RedirectPath, "/callback"),
			Dynamic: r.Dynamic.Is(), OwnUse: r.OwnUse.Is(),
		})
	}
	return out
}

var wayTitles = map[proxy.WayKind]string{
	proxy.WayBrowser: "sign in with the browser", proxy.WayDevice: "sign in with a code on any device", proxy.WayChatGPT: "Continue with ChatGPT",
	proxy.WayADC: "Google Application Default Credentials", proxy.WayServiceAccount: "Google service account file", proxy.WayClientCredentials: "client credentials",
}

// maxDescribed bounds what remembered keeps: names come from callers.
const maxDescribed = 256

// remembered keeps what describe said of the models that are in use; it is
// asked for each request and looks through every family.
func remembered(describe func(string) proxy.Model) func(string) proxy.Model {
	var mu sync.Mutex // guards known
	known := map[string]proxy.Model{}
	return func(model string) proxy.Model {
		mu.Lock()
		defer mu.Unlock()
		m, ok := known[model]
		if !ok {
			if len(known) == maxDescribed {
				clear(known)
			}
			m = describe(model)
			known[model] = m
		}
		return m
	}
}

func normalize(row config.Provider, d, base string) string {
	if row.BaseExact.Is() {
		return strings.TrimSuffix(base, "/")
	}
	return config.NormalizeBase(d, base)
}

// vertexBase is Vertex's address of Google's models: of a project where one
// is named, else that of express mode.
func vertexBase(row config.Provider) string {
	base := strings.TrimSuffix(row.BaseURL, "/")
	version := row.APIVersion
	if version == "" {
		version = "v1"
	}
	if row.Project == "" {
		return base + "/" + version + "/publishers/google"
	}
	loc := row.Location
	if loc == "" {
		loc = "global"
	}
	if loc != "global" && base == "https://aiplatform.googleapis.com" {
		base = "https://" + loc + "-aiplatform.googleapis.com"
	}
	return base + "/" + version + "/projects/" + row.Project + "/locations/" + loc + "/publishers/google"
}

func defaultAuth(d proxy.Dialect) string {
	switch d {
	case proxy.AnthropicMessages:
		return "x-api-key"
	case proxy.Gemini:
		return "x-goog-api-key"
	}
	return "bearer"
}

// embedDialect is the dialect of a provider's embeddings.
func embedDialect(p *proxy.Provider) proxy.Dialect {
	for _, d := range []proxy.Dialect{proxy.OpenAIChat, proxy.Gemini, proxy.Ollama} {
		if _, ok := p.Surface(d); ok {
			return d
		}
	}
	return ""
}

// modelOf joins what the catalogue's families, the provider's row and the
// user's configuration know of a model.
func modelOf(provider string, row config.Provider, m config.Model) proxy.Model {
	out := proxy.Model{ID: m.ID, Provider: provider, Name: m.ID}
	name := strings.ToLower(m.ID[strings.LastIndexByte(m.ID, '/')+1:])
	for _, f := range builtin().Families {
		if slices.ContainsFunc(f.Match, func(pattern string) bool { ok, _ := path.Match(pattern, name); return ok }) {
			out.Context, out.Output, out.Embed, out.Insert = f.Context, f.Output, f.Embedding, f.Insert
			out.Policy = f.policy()
			break
		}
	}
	if m.Context > 0 {
		out.Context = m.Context
	}
	if m.Output > 0 {
		out.Output = m.Output
	}
	out.Embed = m.Embedding.Or(out.Embed)
	p := &out.Policy
	if m.TokenField != "" {
		p.CompletionsMax = m.TokenField == "max_completion_tokens"
	}
	if m.Thinking != "" {
		p.Thinking = proxy.Thinking(m.Thinking)
	}
	if m.Reasoning == config.Off {
		p.Thinking = proxy.ThinkingNone
	}
	if m.Effort != nil {
		p.Efforts = m.Effort
	}
	out.Reasoning, out.Vision, out.Tools = stated(m.Reasoning), stated(m.Vision), stated(m.Tools)
	p.NoImages = !m.Vision.Or(true)
	p.NoTools = !m.Tools.Or(true)
	p.NoSampling = m.NoSampling.Or(p.NoSampling)
	p.OneSampler = m.OneSampler.Or(p.OneSampler)
	p.NoStop = m.NoStop.Or(p.NoStop)
	p.NoPrefill = m.NoPrefill.Or(p.NoPrefill)
	p.MidSystem = m.MidSystem.Or(p.MidSystem)
	return out
}

// stated is a switch of the configuration as a fact.
func stated(t config.Toggle) proxy.Known {
	if t == config.Unset {
		return proxy.Unstated
	}
	return proxy.KnownIf(t.Is())
}

func (f family) policy() proxy.Policy {
	return proxy.Policy{
		Thinking: proxy.Thinking(f.Thinking), Efforts: f.Effort, MinBudget: f.MinBudget, MaxBudget: f.MaxBudget,
		NoSampling: f.NoSampling, OneSampler: f.OneSampler, NoStop: f.NoStop, NoPrefill: f.NoPrefill, NoSchema: f.NoSchema,
		CompletionsMax: f.CompletionsMax, MidSystem: f.MidSystem, Signatures: f.Signatures, ResultParts: f.ResultParts,
		SchemaSubset: f.SchemaSubset, NeedReasoning: f.NeedReasoning, NoForceThink: f.NoForceThink,
	}
}
