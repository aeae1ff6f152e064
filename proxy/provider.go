package proxy

import (
	"net/http"
	"slices"
	"time"
)

// Provider is one upstream service as the engine sees it: a catalogue row with
// the user's overrides applied.
type Provider struct {
	ID      string // "anthropic"
	Name    string // "Anthropic"
	Auth    string // how the key travels: bearer, x-api-key, x-goog-api-key, api-key, none
	Headers http.Header
	// Surfaces are the dialects it serves natively, the preferred one for
	// translation first.
	Surfaces    []Surface
	Completions string  // how it completes text: openai, mistral-fim, ollama, infill, or "" for chat only
	Embeddings  Dialect // dialect of its embeddings endpoint, "" for none
	CountTokens bool    // has a free token counter in its first surface
	ModelsPath  string  // "" takes the dialect's
	APIVersion  string  // named in Gemini's path, else as the query's api-version; "" for none
	Local       bool    // needs no key
	Configured  bool    // the user's configuration has a table for it
	Sandbox     bool    // the built-in provider, not reached by network
	Status      string  // supported, conditional, not permitted, discontinued
	Policy      string  // why, for people
	Quirks      []string
	KeyEnv      []string // environment variables that may hold the key
	Models      []Model  // known without asking
	Fast        string   // what the built-in alias fast means here, "" none
	Smart       string   // and the alias smart
	Ways        []Way    // to connect it beside an API key, the preferred one first
	// Describe says what the catalogue knows of a model by its id; nil when
	// there is no catalogue row.
	Describe func(id string) Model
}

// Surface is one dialect a provider serves and where.
type Surface struct {
	Dialect Dialect
	BaseURL string // no trailing slash
}

// Surface finds the surface of a dialect.
func (p *Provider) Surface(d Dialect) (Surface, bool) {
	for _, s := range p.Surfaces {
		if s.Dialect == d {
			return s, true
		}
	}
	return Surface{}, false
}

// Quirk says whether the provider's row lists a rewrite.
func (p *Provider) Quirk(name string) bool {
	return slices.Contains(p.Quirks, name)
}

// WayKind names a way to connect a provider.
type WayKind string

// The ways.
const (
	WayKey               WayKind = "key"                // an API key
	WayBrowser           WayKind = "browser"            // OAuth 2.1 authorization code with PKCE on a loopback port
	WayDevice            WayKind = "device"             // OAuth 2.0 device authorization, RFC 8628
	WayClientCredentials WayKind = "client-credentials" // OAuth 2.0 client credentials, as Entra's service principals
	WayServiceAccount    WayKind = "service-account"    // a Google service account's file
	WayADC               WayKind = "adc"                // Google's Application Default Credentials
	WayChatGPT           WayKind = "chatgpt"            // Sign in with ChatGPT, open-source flow
)

// Way is one way to connect a provider beside an API key.
type Way struct {
	Kind   WayKind
	Title  string
	Status string // supported, conditional, not permitted, discontinued
	Policy string // why, for people
	Source string // where that was read
	Date   string // when, as YYYY-MM-DD

	// The OAuth client. Addresses that are empty come from the issuer's metadata.
	Issuer, AuthorizeURL, TokenURL, DeviceURL, RevokeURL string
	ClientID                                             string
	SecretEnv                                            string // environment variable of the client's secret
	Scopes                                               []string
	Params                                               map[string]string // further ones of the authorization request
	Resource                                             string            // RFC 8707
	RequiredScope                                        string            // without it the token is of no use
	RedirectHost                                         string
	RedirectPort                                         int // 0: any free one
	RedirectPath                                         string
	Dynamic                                              bool // the client id is issued during the first sign-in
	OwnUse                                               bool // not for requests of other tools
}

// Offered says whether the vendor lets us connect this way.
func (w *Way) Offered() bool { return w.Status == "supported" || w.Status == "conditional" }

// Way finds a way by its kind, nil when the provider has none such.
func (p *Provider) Way(kind WayKind) *Way {
	for i := range p.Ways {
		if p.Ways[i].Kind == kind {
			return &p.Ways[i]
		}
	}
	return nil
}

// Account is one way to pay a provider.
type Account struct {
	Provider string
	Name     string
	Connect  WayKind // "" is WayKey
	KeyEnv   string  // the environment variable of its key; "" means the secret store
	File     string  // credentials file, for WayServiceAccount and WayADC
	BaseURL  string  // overrides the provider's
	Default  bool    // before the provider's others
	Disabled bool
}

// SignedIn says whether the account has tokens that expire, rather than a key.
func (a Account) SignedIn() bool { return a.Connect != "" && a.Connect != WayKey }

// Limit is one limit of an account as its provider last told it. What it did
// not tell is -1, or the zero time.
type Limit struct {
	Name      string // requests, tokens, input-tokens, output-tokens, or a plan's window such as 5h
	Limit     int64
	Remaining int64
	Used      float64   // share used, 0 to 1
	Reset     time.Time // when it is full again
	Source    string    // the header, or "body"
	Seen      time.Time
}

// ImplicitAccount names the account of a provider that nobody configured: a
// local server that needs no key, or a key found in the environment.
const ImplicitAccount = "auto"

// Label is "provider/name", unique among accounts.
func (a Account) Label() string { return a.Provider + "/" + a.Name }

// Model is what is known of a model: its limits and its parameter policy. The
// zero value means nothing is known, and everything is sent as given.
type Model struct {
	ID       string
	Provider string
	Name     string
	Context  int64 // tokens, 0 unknown
	Output   int64 // most output tokens, 0 unknown
	Created  int64 // unix seconds, 0 unknown
	Policy   Policy
	Embed    bool // an embedding model
	Insert   bool // fills in the middle

	// What published model data says; what a model is sent does not depend on it.
	Price     Price
	Reasoning Known
	Vision    Known
	PDF       Known
	Tools     Known
	Released  string // YYYY-MM-DD, "" unknown
	Source    string // where the price is from
	Date      string // as of when, YYYY-MM-DD
}

// Price is what a model costs in USD per million tokens, at list rates for
// short context: an estimate. A cache price of 0 is unknown.
type Price struct {
	Known                                bool
	Input, Output, CacheRead, CacheWrite float64
}

// Known is a fact that nobody may have stated.
type Known uint8

// The values of Known.
const (
	Unstated Known = iota
	No
	Yes
)

// KnownIf is Yes or No.
func KnownIf(b bool) Known {
	if b {
		return Yes
	}
	return No
}

// Policy says which parameters a model takes. It comes from the catalogue's
// families and from what providers refused.
type Policy struct {
	NoImages       bool     // reads text only
	NoTools        bool     // calls no tools
	NoSampling     bool     // refuses temperature, top_p, top_k
	OneSampler     bool     // refuses temperature and top_p together
	NoStop         bool     // refuses stop sequences
	NoPrefill      bool     // refuses a trailing assistant turn
	CompletionsMax bool     // chat: wants max_completion_tokens
	MidSystem      bool     // Anthropic: takes role system inside messages
	Thinking       Thinking // how thinking is controlled
	Efforts        []string // effort levels it takes, weakest first; nil: all
	MinBudget      int64
	MaxBudget      int64
	SchemaSubset   bool     // Gemini: takes only the OpenAPI subset of JSON schema
	Signatures     bool     // Gemini 3: function calls need their thought signature
	ResultParts    bool     // Gemini 3: functionResponse.parts may hold media
	TagThinking    bool     // writes its thinking between <think> tags
	NeedReasoning  bool     // chat: assistant tool-call turns must carry reasoning_content
	NoSchema       bool     // has no structured output of its own
	Developer      bool     // takes instructions as role developer only
	NoForceThink   bool     // refuses forced tool choice while thinking
	Drop           []string // parameters the provider refused, by wire name
}

// Thinking is how a model's thinking is controlled.
type Thinking string

// The ways; the empty one is unknown.
const (
	ThinkingNone     Thinking = "none"     // the model does not think
	ThinkingBudget   Thinking = "budget"   // by a number of tokens
	ThinkingAdaptive Thinking = "adaptive" // by effort, may be off
	ThinkingAlways   Thinking = "always"   // by effort, cannot be off
)

// Candidate is one place to try a request. What it points to is shared with
// other requests: read only.
type Candidate struct {
	Provider *Provider
	Account  *Account
	Model    *Model // Model.ID is the upstream's id
	// Standing is how the account fared when the decision was made.
	Standing Standing
	// Foreign: another account or model holds the conversation, so that its opaque
	// reasoning is not for this one.
	Foreign bool
	// Patience bounds what is waited for; nil takes the settings for all.
	Patience *Patience
	// Strict is whether losses are refused; nil takes the setting for all.
	Strict *bool
}

// Patience is how long a provider may be silent; 0 takes the setting for all.
type Patience struct {
	FirstByte time.Duration
	Idle      time.Duration
}

// modelID is the upstream's id of the model, "" when there is none.
func (c *Candidate) modelID() string {
	if c.Model == nil {
		return ""
	}
	return c.Model.ID
}

// Origin is the maker of what the candidate answers.
func (c Candidate) Origin(d Dialect) Origin {
	return Origin{Dialect: d, Provider: c.Provider.ID, Account: c.Account.Name, Model: c.Model.ID}
}
