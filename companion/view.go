package companion

import (
	"context"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/health"
)

// View is the daemon at one moment, as editors show it. It never changes.
type View struct {
	Version, Address string
	PID              int
	ConfigFile       string
	Revision         int64 // of the configuration in use: documents are looked at again when it changes
	LogFile          string
	Sandbox          bool // no account: the built-in provider answers
	SafeMode         bool
	SafeWhy          string

	Profile   string // in use
	ProfileBy string // user, config or default
	Model     string // where requests go that leave the model to KorProxy, as provider/model; "" unknown
	ModelBy   string // user when it was chosen with korproxy.model

	Profiles  []Profile
	Accounts  []Account
	Models    []Model
	Aliases   []Alias
	Groups    []string
	Providers []Provider
	Problems  []health.Condition // the worst first
}

// Profile is one profile.
type Profile struct {
	Name   string
	Active bool
	Target string
	Tools  []string
	Spent  string // "$1.20 of $5 today", "" without a budget
}

// Account is one account and how it fares.
type Account struct {
	Provider, Name string
	User           string
	Connect        string // the way it is connected: key, browser, ...
	Source         string // where the key comes from
	Default        bool   // before the provider's others
	State          string // available, limited, exhausted, signed-out, erroring, disabled, discontinued or not permitted
	Code, Message  string
	Fix            string
	Until          time.Time
	Limits         []Limit
	Spent          string // "$1.20 today", "" unknown
}

// Label is provider/name.
func (a *Account) Label() string { return a.Provider + "/" + a.Name }

// Limit is one limit of an account.
type Limit struct {
	Name  string
	Left  float64 // share, 0 to 1; -1 unknown
	Reset time.Time
}

// Model is a model that requests can name.
type Model struct {
	ID              string // provider/model
	Provider, Name  string
	Context, Output int64   // tokens, 0 unknown
	In, Out         float64 // USD per million tokens, list prices; -1 unknown
	Features        []string
	Images, Tools   bool
	Embedding       bool
}

// Alias is another name of a target.
type Alias struct{ Name, Target string }

// Provider is a row of the catalogue or of the configuration.
type Provider struct {
	ID, Name  string
	Dialect   string
	BaseURL   string
	Ways      []Way // to connect it
	Local     bool  // a server on this machine
	Connected bool
	Status    string // supported, conditional, not permitted or discontinued
	Policy    string
}

// Way is a way to connect a provider.
type Way struct {
	ID, Title string
	Key       bool // by a key that is typed in
	Note      string
}

// Proxy is the proxy as editors use it. Its methods may be called at the same time.
type Proxy interface {
	// View never waits long; what takes time, such as a keyring, is left out then.
	View(ctx context.Context) *View
	UseProfile(ctx context.Context, name string) error
	// UseModel chooses where requests go that leave the model to KorProxy; "" is
	// what the profile says.
	UseModel(ctx context.Context, target string) error
	// UseAccount puts an account before its provider's others; an empty name
	// leaves that to KorProxy.
	UseAccount(ctx context.Context, provider, name string) error
	SetSafeMode(ctx context.Context, on bool) error
	// Within is the profile and the model of requests from a folder that has a word
	// of its own on them; ok is that it has.
	Within(ctx context.Context, folder string) (profile, model string, ok bool)
	// Target is where a name of a model leads with the profile in use.
	Target(ctx context.Context, model, workspace string) string
	// Chat asks a model. emit takes the parts of the answer as they come.
	Chat(ctx context.Context, p *lsp.ChatParams, workspace string, emit func([]lsp.ChatPart) error) (*lsp.ChatResult, error)
	CountTokens(ctx context.Context, model, text string) (int64, error)
	// Test tries accounts by requests that cost nothing; an empty target is all.
	Test(ctx context.Context, target string) ([]TestRow, error)
	Doctor(ctx context.Context, deep bool) (*lsp.DoctorResult, error)
	// Report is what a command of the CLI prints, such as "usage".
	Report(ctx context.Context, args ...string) (string, error)
	// SignIn connects a provider, telling and asking by ui.
	SignIn(ctx context.Context, provider, way string, ui SignInUI) error
	// Dismiss hides a problem until it comes again.
	Dismiss(code, subject string)
	// Restart ends this daemon so that the editors' forwarders start another.
	Restart()
}

// TestRow is what the test of one account found.
type TestRow struct {
	Account string // provider/name
	OK      bool
	Took    time.Duration
	Message string
	Fix     string
}

// SignInUI is how a sign-in speaks with the person.
type SignInUI interface {
	// Open shows a page in a browser.
	Open(ctx context.Context, url string) error
	// Tell shows a text, such as a code to type.
	Tell(ctx context.Context, text string)
	// Ask gives a line of text; ok is false when the person gave up.
	Ask(ctx context.Context, p lsp.InputParams) (text string, ok bool, err error)
}
