package config

import (
	"fmt"
	"slices"
	"strings"
)

// Provider is a row of the provider catalogue, or the user's override of one.
// Every field is optional, so that an override names only what it changes.
type Provider struct {
	Name        string            `toml:"name" doc:"Display name."`
	Dialect     string            `toml:"dialect" enum:"openai-chat,openai-responses,anthropic-messages,gemini,ollama" doc:"Wire format the provider speaks best."`
	BaseURL     string            `toml:"base_url" check:"url" doc:"Where the provider is, written as the vendor's own SDK takes it: with /v1 for the OpenAI dialects, without a version for Anthropic, Gemini and Ollama. A version given anyway is understood, and an OpenAI-dialect URL without any path gets /v1."`
	BaseExact   Toggle            `toml:"base_exact" doc:"Use base_url exactly as written, for OpenAI-compatible servers whose operations stand at the root."`
	Surfaces    map[string]string `toml:"surfaces" check:"surfaces" doc:"Further dialects the provider serves natively, each with its base URL; an empty URL means the same base, off removes one of the catalogue."`
	KeyEnv      []string          `toml:"key_env" check:"env" doc:"Environment variables that may hold the API key, the first that is set wins."`
	Auth        string            `toml:"auth" enum:"bearer,x-api-key,x-goog-api-key,api-key,none" doc:"How the key is sent: as a bearer token, in the header named, or not at all. By default as the dialect's vendor does."`
	Headers     map[string]string `toml:"headers" check:"headers" doc:"Further request headers. Credentials do not belong here, and KorProxy's own User-Agent cannot be replaced. An empty value removes one of the catalogue."`
	ModelsPath  string            `toml:"models_path" doc:"Path of the model list below base_url; none when the provider has no list. By default the dialect's own."`
	Completions string            `toml:"completions" enum:"openai,deepseek,mistral-fim,ollama,infill,chat,none" doc:"How the provider completes code between a prefix and a suffix; chat means by asking a chat model."`
	Embeddings  Toggle            `toml:"embeddings" doc:"The provider serves embeddings."`
	Local       Toggle            `toml:"local" doc:"A server on the user's own machine: no key is needed."`
	Project     string            `toml:"project" doc:"Google Cloud project, for Vertex AI."`
	Location    string            `toml:"location" doc:"Region, for Vertex AI."`
	APIVersion  string            `toml:"api_version" doc:"API version the provider wants to be named: Azure's api-version, or Gemini's path version (v1beta when empty)."`
	Quirks      []string          `toml:"quirks" doc:"Named small rewrites the provider needs."`

	Status       string `toml:"status" enum:"supported,conditional,not permitted,discontinued" doc:"Whether the vendor permits a tool such as KorProxy to connect this way."`
	Policy       string `toml:"policy" doc:"What the vendor's published terms say, in one or two sentences."`
	PolicySource string `toml:"policy_source" doc:"Where that was read."`
	PolicyDate   string `toml:"policy_date" check:"date" doc:"When that was read, as YYYY-MM-DD."`
	Tested       string `toml:"tested" check:"date" doc:"When the provider was last tried against its live service, as YYYY-MM-DD. Empty: never."`

	Connect map[string]Way `toml:"connect" doc:"Ways to connect beside an API key, by kind: browser, device, client-credentials, service-account, adc or chatgpt. A table here brings your own OAuth client, or the sign-in of a company's gateway."`

	Fast  string `toml:"fast" doc:"Model that the built-in alias fast means here: quick and cheap, for completions and edits."`
	Smart string `toml:"smart" doc:"Model that the built-in alias smart means here: capable, for chat and agents."`

	ModelPolicy
	Models []Model `toml:"models" doc:"Models known beforehand. The provider's own list adds to them."`
}

// Way is one way to connect a provider beside an API key.
type Way struct {
	Title         string            `toml:"title" doc:"What the user reads when choosing."`
	Status        string            `toml:"status" enum:"supported,conditional,not permitted,discontinued" doc:"Whether the vendor permits a tool such as KorProxy to connect this way."`
	Policy        string            `toml:"policy" doc:"What the vendor's published terms say, in one or two sentences."`
	PolicySource  string            `toml:"policy_source" doc:"Where that was read."`
	PolicyDate    string            `toml:"policy_date" check:"date" doc:"When that was read, as YYYY-MM-DD."`
	Issuer        string            `toml:"issuer" check:"url" doc:"OpenID Connect or OAuth 2.0 issuer. Its metadata names the addresses that are not given here."`
	AuthorizeURL  string            `toml:"authorize_url" check:"url" doc:"Where the browser is sent."`
	TokenURL      string            `toml:"token_url" check:"url" doc:"Where codes are exchanged and tokens are refreshed."`
	DeviceURL     string            `toml:"device_url" check:"url" doc:"Where a device code is asked for (RFC 8628)."`
	RevokeURL     string            `toml:"revoke_url" check:"url" doc:"Where tokens are revoked at sign-out (RFC 7009)."`
	ClientID      string            `toml:"client_id" doc:"Id of the OAuth client: one registered for KorProxy, or your own."`
	SecretEnv     string            `toml:"client_secret_env" check:"env" doc:"Environment variable that holds the client's secret, for clients that have one."`
	Scopes        []string          `toml:"scopes" doc:"Scopes to ask for."`
	Params        map[string]string `toml:"params" doc:"Further parameters of the authorization request."`
	Resource      string            `toml:"resource" check:"url" doc:"The API the token is for (RFC 8707)."`
	RequiredScope string            `toml:"required_scope" doc:"Scope without which the sign-in is of no use."`
	RedirectHost  string            `toml:"redirect_host" enum:"127.0.0.1,localhost" doc:"Host of the redirect address, 127.0.0.1 unless the client was registered with localhost."`
	RedirectPort  int64             `toml:"redirect_port" doc:"Port of the redirect address, for clients registered with a fixed one. Any free port by default."`
	RedirectPath  string            `toml:"redirect_path" doc:"Path of the redirect address, /callback by default."`
	Dynamic       Toggle            `toml:"dynamic" doc:"The client id is issued during the first sign-in and kept with the account."`
	OwnUse        Toggle            `toml:"own_use" doc:"The vendor's terms limit the sign-in to KorProxy itself: requests of other tools are refused."`
}

// Model is what is known of one model, or of every model whose id begins alike.
type Model struct {
	ID        string   `toml:"id" check:"required" doc:"Model id as the provider takes it. A trailing * makes the entry hold for every id that begins so, without listing a model."`
	Aliases   []string `toml:"aliases" doc:"Other names for the model."`
	Context   int64    `toml:"context" check:"positive" doc:"Input tokens the model takes."`
	Output    int64    `toml:"output" check:"positive" doc:"Output tokens the model gives at most."`
	Vision    Toggle   `toml:"vision" doc:"The model reads images."`
	Tools     Toggle   `toml:"tools" doc:"The model calls tools."`
	Reasoning Toggle   `toml:"reasoning" doc:"The model can think before it answers."`
	Embedding Toggle   `toml:"embedding" doc:"An embedding model, not one to chat with."`

	ModelPolicy
}

// ModelPolicy says which parameters a model takes. On a provider it holds for
// all its models.
type ModelPolicy struct {
	TokenField string   `toml:"token_field" enum:"max_tokens,max_completion_tokens" doc:"Field of the OpenAI chat dialect that limits the output."`
	NoSampling Toggle   `toml:"no_sampling" doc:"The model refuses temperature, top_p and top_k."`
	OneSampler Toggle   `toml:"one_sampler" doc:"The model takes temperature or top_p, not both."`
	NoStop     Toggle   `toml:"no_stop" doc:"The model refuses stop sequences."`
	NoPrefill  Toggle   `toml:"no_prefill" doc:"The model refuses a conversation that ends with assistant text."`
	Effort     []string `toml:"effort" enum:"none,minimal,low,medium,high,xhigh,max" doc:"Reasoning effort levels the model takes."`
	Thinking   string   `toml:"thinking" enum:"budget,adaptive,always,none" doc:"How thinking is asked for: by a token budget, by effort alone, not at all because it is always on, or there is none."`
	MidSystem  Toggle   `toml:"mid_system" doc:"The model takes system messages in the middle of a conversation."`
}

// Toggle is a switch that may be left alone, so that an override can turn
// something off that the catalogue turns on.
type Toggle uint8

// The positions of a Toggle.
const (
	Unset Toggle = iota
	Off
	On
)

// Is reports whether the switch is on.
func (t Toggle) Is() bool { return t == On }

// Or reports whether the switch is on, taking def when it is unset.
func (t Toggle) Or(def bool) bool {
	if t == Unset {
		return def
	}
	return t == On
}

// UnmarshalTOML implements toml.Unmarshaler; only booleans are accepted.
func (t *Toggle) UnmarshalTOML(v any) error {
	b, ok := v.(bool)
	if !ok {
		return fmt.Errorf("expected true or false, got %s", typeName(v))
	}
	*t = toggle(b)
	return nil
}

func toggle(b bool) Toggle {
	if b {
		return On
	}
	return Off
}

// Model gives what is known of a model by its id or an alias: its entry, over
// the patterns that fit (longer ones win), over the provider's own policy. ID
// is the id to send. listed is false when no entry but a pattern names the
// model; it may exist all the same.
func (p Provider) Model(id string) (m Model, listed bool) {
	at := slices.IndexFunc(p.Models, func(e Model) bool { return e.ID == id || slices.Contains(e.Aliases, id) })
	if at >= 0 {
		id = p.Models[at].ID
	}
	var layers []Model
	for _, e := range p.Models {
		if prefix, ok := strings.CutSuffix(e.ID, "*"); ok && strings.HasPrefix(id, prefix) {
			layers = append(layers, e)
		}
	}
	slices.SortStableFunc(layers, func(a, b Model) int { return len(a.ID) - len(b.ID) })
	if at >= 0 {
		layers = append(layers, p.Models[at])
	}
	m.ModelPolicy = p.ModelPolicy
	for _, e := range layers {
		overlay(reflectValue(&m), reflectValue(&e))
	}
	m.ID = id
	return m, at >= 0
}
