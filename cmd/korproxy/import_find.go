package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/secret"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/upstream"
)

// find is an API key, or a sign-in, that was found where a tool keeps it.
type find struct {
	Tool     string     `json:"tool"`
	Place    string     `json:"place"` // the file, or "environment"
	Name     string     `json:"name"`  // of the variable or key there
	Provider string     `json:"provider,omitempty"`
	Masked   string     `json:"key,omitempty"`
	Reason   string     `json:"reason,omitempty"` // why it cannot be used; "" when it can
	Account  string     `json:"account,omitempty"`
	Terms    policyInfo `json:"terms,omitzero"`
	Imported bool       `json:"imported"`

	key secret.Value
}

// finder looks for keys. It reads files and never writes any.
type finder struct {
	getenv    func(string) string
	providers map[string]*proxy.Provider
	found     []find
}

// importSources are the tools that are looked at, in order.
var importSources = []struct {
	tool string
	look func(*finder)
}{
	{"environment", (*finder).environment},
	{"codex", (*finder).codex},
	{"claude-code", (*finder).claudeCode},
	{"gemini-cli", (*finder).geminiCLI},
	{"qwen-code", (*finder).qwenCode},
	{"iflow", (*finder).iflow},
	{"opencode", (*finder).opencode},
	{"aider", (*finder).aider},
	{"continue", (*finder).continueDev},
}

// Why a sign-in that was found is left alone.
const (
	claudePlan  = "Claude Code is signed in with your Claude plan. Anthropic does not allow other tools to use or pass on that sign-in, so KorProxy leaves Claude Code connected directly to Anthropic. To use Claude in other tools, add an Anthropic API key."
	codexPlan   = "Codex is signed in with your ChatGPT plan; that sign-in is Codex's own. 'korproxy login openai' can connect the plan for KorProxy's own use; for other tools add an OpenAI API key."
	geminiLogin = "Google treats use of Gemini CLI's sign-in by other software as a violation of its terms. Add a free AI Studio key or a Vertex project instead."
	qwenLogin   = "The Qwen free sign-in was closed by its vendor on 2026-04-15. Add a DashScope key instead."
	iflowLogin  = "iFlow was closed by its vendor on 2026-04-17. Connect another provider."
	otherLogin  = "This is a sign-in of that tool and not an API key; KorProxy does not use sign-ins of other tools."
	ownKey      = "This is KorProxy's own local key."
)

// readSmall reads a file that may hold a key; none when it is not there, is not
// a plain file, or is larger than any such file.
func readSmall(path string) []byte {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return nil
	}
	return b
}

func (f *finder) home() string {
	if runtime.GOOS == "windows" {
		return cmp.Or(f.getenv("USERPROFILE"), f.getenv("HOME"))
	}
	return f.getenv("HOME")
}

// file is a path below the home folder, or below the folder a variable names.
func (f *finder) file(variable, below string, names ...string) string {
	dir := f.getenv(variable)
	if variable == "" || dir == "" {
		dir = filepath.Join(f.home(), filepath.FromSlash(below))
	}
	return filepath.Join(append([]string{dir}, names...)...)
}

// take notes a key for a provider. What is not an API key, or not one for that
// provider, is noted with the reason.
func (f *finder) take(tool, place, name, provider, key, base string) {
	key = strings.TrimSpace(key)
	p := f.providers[provider]
	one := find{Tool: tool, Place: place, Name: name, Provider: provider, Masked: masked(key), key: secret.New(key)}
	switch {
	case key == "" || strings.HasPrefix(key, "$"):
		return
	case strings.HasPrefix(key, "kor-"):
		one.Reason = ownKey
	case strings.HasPrefix(key, "sk-ant-oat"):
		one.Reason = claudePlan
	case p == nil:
		one.Reason = fmt.Sprintf("KorProxy has no provider %q. A table [providers.NAME] in korproxy.toml can add one.", provider)
	case p.Status == "discontinued" || p.Status == "not permitted":
		one.Reason = p.Policy
	case base != "" && !f.belongs(p, base):
		one.Reason = fmt.Sprintf("It stands beside the address %s, so it is not a key for %s.", hostOf(base), p.Name)
	case strings.ContainsAny(key, " \t\r\n"):
		one.Reason = "It is not in the form of an API key."
	}
	f.found = append(f.found, one)
}

// login notes a sign-in, which is left alone.
func (f *finder) login(tool, place, name, provider, reason string) {
	f.found = append(f.found, find{Tool: tool, Place: place, Name: name, Provider: provider, Reason: reason})
}

// belongs says whether a base URL leads to the provider.
func (f *finder) belongs(p *proxy.Provider, base string) bool {
	return slices.ContainsFunc(p.Surfaces, func(s proxy.Surface) bool { return hostOf(s.BaseURL) == hostOf(base) })
}

func hostOf(raw string) string {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// masked shows the beginning and the end of a key, for people to know it by.
func masked(key string) string {
	if len(key) < 20 {
		return "…"
	}
	return key[:7] + "…" + key[len(key)-4:]
}

// baseVariables are what sends a variable's key elsewhere.
var baseVariables = map[string][]string{
	"OPENAI_API_KEY": {"OPENAI_BASE_URL", "OPENAI_API_BASE"}, "ANTHROPIC_API_KEY": {"ANTHROPIC_BASE_URL"}, "GEMINI_API_KEY": {"GOOGLE_GEMINI_BASE_URL"},
	"GOOGLE_API_KEY": {"GOOGLE_GEMINI_BASE_URL"}, "AZURE_OPENAI_API_KEY": nil,
}

// variables takes the keys among variables, by the names the catalogue knows.
func (f *finder) variables(tool, place string, get func(string) string) {
	for _, id := range slices.Sorted(maps.Keys(f.providers)) {
		if f.providers[id].Local {
			continue
		}
		for _, name := range f.providers[id].KeyEnv {
			base := ""
			for _, b := range baseVariables[name] {
				base = cmp.Or(base, get(b))
			}
			f.take(tool, place, name, id, get(name), base)
		}
	}
}

func (f *finder) environment() { f.variables("environment", "environment", f.getenv) }

func (f *finder) dotenv(tool, path string) {
	if b := readSmall(path); b != nil {
		vars := parseDotenv(b)
		f.variables(tool, path, func(name string) string { return vars[name] })
	}
}

func (f *finder) continueDev() {
	f.dotenv("continue", f.file("CONTINUE_GLOBAL_DIR", ".continue", ".env"))
}

// known gives our provider for the id that models.dev and opencode have.
func known(theirs string) string { return upstream.FromModelsDev(theirs) }
