package config

import "time"

// Config is every setting. The zero Config is not useful; [Default] and [Load]
// give one whose defaults are filled in.
//
// Tags: toml is the key, doc the text users read, default the value in TOML's
// notation (a bare word for strings), enum the allowed words, scope="workspace"
// marks what a trusted workspace may set, unit="bytes" an integer that may be
// written as "64MB", check names a rule of validate.go.
type Config struct {
	Listen           string              `toml:"listen" default:"127.0.0.1:1337" check:"listen" doc:"Address the HTTP endpoint listens on, as host:port. Port 0 takes any free port. When the host is 127.0.0.1 the same port of [::1] is served too. Anything but a loopback host also needs local.allow_remote."`
	Strict           bool                `toml:"strict" default:"false" scope:"workspace" doc:"Refuse a request when the provider's dialect cannot express something that changes what the answer means, such as a JSON schema or a stop sequence. By default it is sent as well as can be, and the X-Korproxy-Lossy header names what was lost."`
	FetchRemoteMedia bool                `toml:"fetch_remote_media" default:"false" doc:"Let KorProxy download an image or file a request names by URL when the provider takes only inline data. Off, such a request is refused, and no request of ours goes to a host the caller chose."`
	ShareReasoning   bool                `toml:"share_reasoning" default:"false" doc:"Let the visible reasoning text of one provider be sent to another when a conversation changes provider. Opaque reasoning data never is."`
	Local            Local               `toml:"local" doc:"Who may use the local endpoint."`
	Limits           Limits              `toml:"limits" doc:"Sizes and time-outs. A time-out of 0 means none."`
	Log              Log                 `toml:"log" doc:"What the log holds. Prompts and answers are never logged."`
	Profile          string              `toml:"profile" default:"default" scope:"workspace" doc:"Profile that is used where neither the request, its tool nor its workspace names one. 'korproxy profile use' switches it without an edit."`
	SafeMode         bool                `toml:"safe_mode" default:"false" doc:"Send everything to one plain target (safe_target), without profiles, rules and groups. 'korproxy safe-mode on' does the same without an edit."`
	SafeTarget       string              `toml:"safe_target" check:"target" doc:"Where safe mode sends requests. Without it each goes where its model name says, to the first account that has it."`
	TrustedFolders   []string            `toml:"trusted_folders" doc:"Folders whose .korproxy.toml is read, with all below them. 'korproxy workspace trust' adds one."`
	Workspaces       map[string]string   `toml:"workspaces" doc:"Names for workspaces, by folder: usage reports show them instead of a hash."`
	Aliases          map[string]string   `toml:"aliases" scope:"workspace" check:"target" doc:"Names for targets, for all profiles: fast = \"groq/openai/gpt-oss-120b\". A target is provider/model, provider:account/model, a bare model, another alias, or a group."`
	Profiles         map[string]Profile  `toml:"profiles" doc:"Ways of working, such as work, personal and offline."`
	Groups           map[string]Group    `toml:"groups" doc:"Targets that stand in for each other, and how requests are spread over them."`
	Rules            []Rule              `toml:"rules" scope:"workspace" doc:"What goes where, in order: the first rule that holds decides. Every condition of a rule has to hold; one that is not given always does."`
	Classes          map[string]Class    `toml:"classes" doc:"Time-outs and hedging by request class: completion, edit, chat, agent, embedding, helper, other."`
	Tools            map[string]Tool     `toml:"tools" doc:"What holds for the requests of one tool, by the name its local key was made for."`
	Healing          Healing             `toml:"healing" doc:"What is done about failures before anything of an answer reached the caller."`
	Usage            Usage               `toml:"usage" doc:"The ledger of requests. It never holds a prompt or an answer."`
	Companion        Companion           `toml:"companion" doc:"The daemon as editors use it."`
	Providers        map[string]Provider `toml:"providers" doc:"Providers by name: a name of the built-in catalogue overrides that row key by key; any other name adds a provider, which needs dialect and base_url."`
	Accounts         []Account           `toml:"accounts" doc:"Credentials for providers. Secrets do not belong in this file: an account names an environment variable, or its key is stored by 'korproxy accounts add'."`
}

// Companion says how the daemon serves editors.
type Companion struct {
	IdleExit time.Duration `toml:"idle_exit" default:"30m" doc:"How long a daemon that an editor started stays when no editor is open and no tool sends requests. 0 keeps it. One that was started with 'korproxy up' or 'korproxy serve' stays until it is stopped."`
}

// Local says who may use the local endpoint.
type Local struct {
	RequireKey   bool     `toml:"require_key" default:"true" doc:"Refuse requests that carry no local key. Without keys any program and any user of this machine can spend your accounts."`
	AllowRemote  bool     `toml:"allow_remote" default:"false" doc:"Permit a listen address other machines can reach. It is a second word on purpose: 0.0.0.0 is easily copied from a container recipe, and it opens your accounts to the network. Keys stay required then."`
	AllowedHosts []string `toml:"allowed_hosts" check:"host" doc:"Further names the endpoint may be addressed by in the Host header, such as host.docker.internal. Loopback names are always allowed; others are refused, which stops DNS rebinding."`
}

// Limits bounds what one request may hold, and for how long.
type Limits struct {
	BodyBytes        int64         `toml:"body_bytes" default:"64MB" unit:"bytes" check:"positive" doc:"Largest request body, as a number of bytes or with a unit of KB, MB or GB (powers of 1024). A larger one gets 413."`
	HeaderTimeout    time.Duration `toml:"header_timeout" default:"10s" doc:"How long a caller may take to send its request headers."`
	KeepAliveTimeout time.Duration `toml:"keep_alive_timeout" default:"2m" doc:"How long an idle connection of a caller is kept."`
	ConnectTimeout   time.Duration `toml:"connect_timeout" default:"10s" doc:"How long connecting to a provider may take."`
	FirstByteTimeout time.Duration `toml:"first_byte_timeout" default:"10m" doc:"How long a provider may take to begin its answer. Answers that are not streamed begin only when they are complete, so this is generous."`
	IdleTimeout      time.Duration `toml:"idle_timeout" default:"5m" doc:"How long a streamed answer may stay silent before it counts as broken."`
	DrainTimeout     time.Duration `toml:"drain_timeout" default:"30s" doc:"How long open streams may go on when the daemon is told to stop."`
}

// Log says what the log holds.
type Log struct {
	Level  string `toml:"level" default:"info" enum:"debug,info,warn,error" doc:"Least severity that is logged."`
	Format string `toml:"format" default:"text" enum:"text,json" doc:"How log lines are written."`
}

// Account is one credential for one provider.
type Account struct {
	Provider  string `toml:"provider" check:"required" doc:"Name of a provider: of the built-in catalogue, or of this file."`
	Name      string `toml:"name" default:"default" check:"name" doc:"Name of the account, unique for its provider."`
	APIKeyEnv string `toml:"api_key_env" check:"env" doc:"Environment variable that holds the API key. Without it the stored secret is used, then the provider's own variables (key_env)."`
	BaseURL   string `toml:"base_url" check:"url" doc:"Base URL for this account only, for instance of one Azure resource or region."`
	Connect   string `toml:"connect" default:"key" enum:"key,browser,device,client-credentials,service-account,adc,chatgpt" doc:"How the account is connected: by an API key, or one of the provider's other ways. 'korproxy login' writes it."`
	File      string `toml:"credentials_file" doc:"Service account file, or Application Default Credentials other than the usual ones, for Google Cloud."`
	Default   bool   `toml:"default" default:"false" doc:"Use this account before the provider's others."`
	Disabled  bool   `toml:"disabled" default:"false" doc:"Keep the account but do not use it."`
}

// ID is "provider/name", the account's identity in logs, secrets and the CLI.
func (a Account) ID() string { return a.Provider + "/" + a.Name }

// Default is the config of an empty file.
func Default() Config {
	var c Config
	fillDefaults(schema(), reflectValue(&c))
	return c
}
