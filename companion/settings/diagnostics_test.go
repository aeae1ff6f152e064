package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/health"
)

// mistakes are texts with one mistake, marked, with a part of what is said and
// the text after the first fix.
var mistakes = []struct{ name, code, text, says, fixed string }{
	{"an unquoted word", "KP-CONFIG-002", "[log]\n«level = debug»\nformat = \"text\"\n", "Strings need quotes", "[log]\nlevel = \"debug\"\nformat = \"text\"\n"},
	{"a string that is not closed", "KP-CONFIG-002", "«profile = \"work»\n[profiles.work]\n", "The string is not closed", "profile = \"work\"\n[profiles.work]\n"},
	{"a capital truth", "KP-CONFIG-002", "«strict = True» # ö\n", "no value", "strict = true # ö\n"},
	{"no value", "KP-CONFIG-002", "[limits]\n«drain_timeout =»\n", "behind the =", "[limits]\ndrain_timeout = \"30s\"\n"},
	{"a switch without a value", "KP-CONFIG-002", "«strict»\n", "key = value", "strict = true\n"},
	{"a key alone", "KP-CONFIG-002", "strict = true\n«listen»\n[log]\n", "", "strict = true\n[log]\n"},
	{"a header that is not closed", "KP-CONFIG-002", "«[log»\nlevel = \"info\"\n", "not complete", "[log]\nlevel = \"info\"\n"},
	{"half a list header", "KP-CONFIG-002", "«[[accounts]»\nprovider = \"openai\"\n", "", "[[accounts]]\nprovider = \"openai\"\n"},
	{"a key twice", "KP-CONFIG-002", "strict = true\n«strict = false»\n", "first in line 1", "strict = true\n"},
	{"a table twice", "KP-CONFIG-002", "[log]\nlevel = \"info\"\n\n[limits]\n\n«[log]»\nformat = \"json\"\n", "first in line 1", "[log]\nlevel = \"info\"\nformat = \"json\"\n\n[limits]\n\n"},
	{"a list that is not closed", "KP-CONFIG-002", "«trusted_folders = [\"~/a\",\n  \"~/b\"»\n[log]\nlevel = \"info\"\n", "The list is not closed", "[log]\nlevel = \"info\"\n"},

	{"an unknown key", "KP-CONFIG-003", "«strct» = true\n", "Unknown key. Did you mean \"strict\"?", "strict = true\n"},
	{"an unknown key of a list", "KP-CONFIG-003", "[[accounts]]\nprovider = \"openai\"\n«\"defualt\"» = true\n", "", "[[accounts]]\nprovider = \"openai\"\ndefault = true\n"},
	{"an unknown table", "KP-CONFIG-003", "[«limit»]\nbody_bytes = 1\n", "limits", "[limits]\nbody_bytes = 1\n"},
	{"an unknown key within a line", "KP-CONFIG-003", "log = { level = \"info\", «colour» = true }\n", "Known here", "log = { level = \"info\" }\n"},
	{"a key in the wrong table", "KP-CONFIG-003", "«drain_timeout» = \"5s\"\n[limits]\nidle_timeout = \"1m\"\n[log]\n", "limits.drain_timeout", "[limits]\nidle_timeout = \"1m\"\ndrain_timeout = \"5s\"\n[log]\n"},
	{"a key whose table is not there", "KP-CONFIG-003", "«drain_timeout» = \"5s\"\n", "limits.drain_timeout", "\n[limits]\ndrain_timeout = \"5s\"\n"},

	{"a quoted switch", "KP-CONFIG-004", "strict = «\"yes\"»\n", "", "strict = true\n"},
	{"a quoted number", "KP-CONFIG-004", "[healing]\nretries = «'3'» # ü\n", "Expected whole number", "[healing]\nretries = 3 # ü\n"},
	{"a bare duration", "KP-CONFIG-004", "limits.drain_timeout = «30»\n", "", "limits.drain_timeout = \"30s\"\n"},
	{"a number for a word", "KP-CONFIG-004", "[profiles.work]\ntarget = «5»\n", "", "[profiles.work]\ntarget = \"5\"\n"},
	{"a word for a list", "KP-CONFIG-004", "trusted_folders = «\"~/a, ~/b\"»\n", "", "trusted_folders = [\"~/a\", \"~/b\"]\n"},
	{"numbers for words", "KP-CONFIG-004", "[[rules]]\ntarget = \"auto\"\nmodel = «[1, 2]»\n", "", "[[rules]]\ntarget = \"auto\"\nmodel = [\"1\", \"2\"]\n"},
	{"words for numbers", "KP-CONFIG-004", "[groups.a]\nmembers = [\"x\"]\nstrategy = \"weighted\"\nweights = «[\"1\"]»\n", "", "[groups.a]\nmembers = [\"x\"]\nstrategy = \"weighted\"\nweights = [1]\n"},
	{"a table for a list of tables", "KP-CONFIG-004", "[«accounts»]\nprovider = \"openai\"\n", "[[accounts]]", "[[accounts]]\nprovider = \"openai\"\n"},
	{"an entry that is no string", "KP-CONFIG-004", "[aliases]\nfast = «1»\n", "", "[aliases]\nfast = \"1\"\n"},

	{"a word of a few", "KP-CONFIG-005", "[log]\nlevel = «\"wran\"»\n", "Did you mean \"warn\"? Allowed:", "[log]\nlevel = \"warn\"\n"},
	{"one of a list", "KP-CONFIG-005", "[[rules]]\ntarget = \"auto\"\nclass = [\"edit\", «'chta'», \"agent\"]\n", "", "[[rules]]\ntarget = \"auto\"\nclass = [\"edit\", 'chat', \"agent\"]\n"},
	{"both of two", "KP-CONFIG-005", "[[rules]]\ntarget = \"auto\"\nrefuse = «\"no\"»\n", "Has both target and refuse. Leave one of them out.", "[[rules]]\ntarget = \"auto\"\n"},
	{"no folder", "KP-CONFIG-005", "trusted_folders = [\"~/a\", «\"b\"»]\n", "Not an absolute folder", "trusted_folders = [\"~/a\"]\n"},
	{"no folder for a name", "KP-CONFIG-005", "[workspaces]\n«\"lädchen\"» = \"shop\"\n", "Not an absolute folder", "[workspaces]\n"},
	{"a missing key", "KP-CONFIG-005", "[[«accounts»]]\nname = \"x\"\n", "\"provider\": missing. Every entry", "[[accounts]]\nname = \"x\"\nprovider = \"\"\n"},
	{"the wrong way", "KP-CONFIG-005", "[[accounts]]\nprovider = \"openai\"\nconnect = «\"adc\"»\n", "It has: key", "[[accounts]]\nprovider = \"openai\"\nconnect = \"key\"\n"},

	{"no address", "KP-CONFIG-006", "listen = «\"localhost\"»\n", "Not a host and a port", "listen = \"127.0.0.1:1337\"\n"},
	{"an open address", "KP-CONFIG-007", "listen = «\"0.0.0.0:4000\"»\n", "Other machines", "listen = \"127.0.0.1:4000\"\n"},
	{"an open address without keys", "KP-CONFIG-007", "listen = \"0.0.0.0:4000\"\nlocal = { allow_remote = true, require_key = «false» }\n", "", "listen = \"0.0.0.0:4000\"\nlocal = { allow_remote = true, require_key = true }\n"},
	{"a pasted operation", "KP-CONFIG-008", "[providers.openai]\nbase_url = «\"https://a.example/v1/chat/completions\"»\n", "Ends in an operation", "[providers.openai]\nbase_url = \"https://a.example/v1\"\n"},
	{"no scheme", "KP-CONFIG-008", "[providers.openai]\nbase_url = «\"a.example/v1\"»\n", "", "[providers.openai]\nbase_url = \"https://a.example/v1\"\n"},
	{"a query", "KP-CONFIG-008", "[providers.openai]\nbase_url = «\"https://a.example/v1?key=geheim\"»\n", "", "[providers.openai]\nbase_url = \"https://a.example/v1\"\n"},
	{"an unknown provider", "KP-CONFIG-009", "[[accounts]]\nprovider = «\"antropic\"»\n", "Did you mean \"anthropic\"?", "[[accounts]]\nprovider = \"anthropic\"\n"},
	{"an account twice", "KP-CONFIG-010", "[[accounts]]\nprovider = \"openai\"\n\n[[accounts]]\nprovider = \"openai\"\nname = «\"default\"»\n", "", "[[accounts]]\nprovider = \"openai\"\n\n"},
	{"a model twice", "KP-CONFIG-010", "[[providers.openai.models]]\nid = \"x\"\n[[providers.openai.models]]\nid = «\"x\"»\n", "", "[[providers.openai.models]]\nid = \"x\"\n"},
	{"a slip of a provider", "KP-CONFIG-011", "[providers.«grok»]\ndialect = \"openai-chat\"\n", "groq", "[providers.groq]\ndialect = \"openai-chat\"\n"},
	{"a provider without an address", "KP-CONFIG-011", "[providers.«mine»]\ndialect = \"openai-chat\"\n", "needs base_url", "[providers.mine]\ndialect = \"openai-chat\"\nbase_url = \"https://example.com\"\n"},
	{"a way that lacks a file", "KP-CONFIG-011", "[[accounts]]\nprovider = \"vertex\"\nconnect = «\"service-account\"»\n", "Needs credentials_file", "[[accounts]]\nprovider = \"vertex\"\nconnect = \"service-account\"\ncredentials_file = \"\"\n"},
	{"a key in the file", "KP-CONFIG-013", "[[accounts]]\nprovider = \"openai\"\n«api_key» = \"sk-geheim\"\n", "", "[[accounts]]\nprovider = \"openai\"\n"},
	{"a key for a variable", "KP-CONFIG-013", "[[accounts]]\nprovider = \"openai\"\napi_key_env = «\"sk-geheim\"»\n", "Not the name", "[[accounts]]\nprovider = \"openai\"\n"},
	{"a key in a header", "KP-CONFIG-013", "[providers.openai]\nheaders = { Authorization = «\"Bearer geheim\"», X = \"1\" }\n", "", "[providers.openai]\nheaders = { X = \"1\" }\n"},
	{"an unknown profile", "KP-CONFIG-017", "profile = «\"wrok\"»\n[profiles.work]\n", "Did you mean \"work\"?", "profile = \"work\"\n[profiles.work]\n"},
	{"an unknown class", "KP-CONFIG-017", "[classes.«chta»]\n", "", "[classes.chat]\n"},
	{"an unknown provider of a list", "KP-CONFIG-017", "[profiles.work]\nproviders = [\"openai\", «\"antropic\"»]\n", "", "[profiles.work]\nproviders = [\"openai\", \"anthropic\"]\n"},
	{"a circle", "KP-CONFIG-018", "[aliases]\na = «\"b\"»\nb = \"a\"\n", "Leads back to itself: a → b → a.", "[aliases]\nb = \"a\"\n"},

	{"a slip of an alias", "KP-CONFIG-019", "[aliases]\nreview = \"openai/gpt-5.5\"\nbig = «\"reveiw\"»\n", "Did you mean \"review\"?", "[aliases]\nreview = \"openai/gpt-5.5\"\nbig = \"review\"\n"},
	{"a rule behind another", "KP-CONFIG-019", "[[rules]]\ntarget = \"auto\"\n\n[[«rules»]]\nclass = [\"chat\"]\ntarget = \"fast\"\n", "Never decides", "[[rules]]\ntarget = \"auto\"\n\n"},
	{"an unknown account", "KP-CONFIG-019", "[profiles.work]\naccounts = [«\"openai/wrk\"»]\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n", "Did you mean \"work\"?", "[profiles.work]\naccounts = [\"openai/work\"]\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n"},
	{"a provider of an account", "KP-CONFIG-017", "[profiles.work]\naccounts = [«\"opnai/work\"»]\n", "", "[profiles.work]\naccounts = [\"openai/work\"]\n"},
	{"a provider of a target", "KP-CONFIG-017", "[profiles.work]\ntarget = «\"opnai:work/gpt-5.5\"»\n", "", "[profiles.work]\ntarget = \"openai:work/gpt-5.5\"\n"},
	{"an account of a target", "KP-CONFIG-019", "[aliases]\nbig = «\"openai:wrk/gpt-5.5\"»\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n", "", "[aliases]\nbig = \"openai:work/gpt-5.5\"\n[[accounts]]\nprovider = \"openai\"\nname = \"work\"\n"},
	{"weights for nothing", "KP-CONFIG-019", "[groups.a]\nmembers = [\"openai/gpt-5.5\"]\nweights = «[1]»\n", "", "[groups.a]\nmembers = [\"openai/gpt-5.5\"]\n"},
}

func TestEveryMistakeIsShownAtItsPlaceAndMended(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range mistakes {
		t.Run(c.name, func(t *testing.T) {
			seen[c.code] = true
			l := fixture(t, "")
			text, span := marked(t, c.text)
			found := l.Diagnostics(t.Context(), document(userURI, text), &companion.View{})
			var d companion.Diagnostic
			for _, f := range found {
				if f.Code == c.code && f.Span == span {
					d = f
				}
			}
			if d.Code == "" {
				t.Fatalf("got %+v", found)
			}
			if len(found) > 1 && !strings.HasPrefix(c.name, "a circle") {
				t.Errorf("more than one is shown: %+v", found)
			}
			if want := map[bool]health.Severity{true: health.Warning, false: health.Error}[c.code == "KP-CONFIG-019"]; d.Severity != want {
				t.Errorf("severity %s", d.Severity)
			}
			if !strings.Contains(d.Message, c.says) || strings.Contains(d.Message, "geheim") {
				t.Errorf("it says %q", d.Message)
			}
			if c.fixed == "" {
				return
			}
			if len(d.Fixes) == 0 {
				t.Fatal("there is no fix")
			}
			got := apply(text, d.Fixes[0].Edits)
			if c.fixed != got {
				t.Errorf("%s gives\n%s", d.Fixes[0].Title, got)
			}
		})
	}
	for _, code := range []string{"002", "003", "004", "005", "006", "007", "008", "009", "010", "011", "013", "017", "018", "019"} {
		if !seen["KP-CONFIG-"+code] {
			t.Errorf("nothing shows KP-CONFIG-%s", code)
		}
	}
}

func TestFixesKeepTheLineEnds(t *testing.T) {
	crlf := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	for _, c := range mistakes {
		text, span := marked(t, crlf(c.text))
		for _, d := range fixture(t, "").Diagnostics(t.Context(), document(userURI, text), &companion.View{}) {
			if d.Code != c.code || d.Span != span {
				continue
			}
			if got := apply(text, d.Fixes[0].Edits); c.fixed != "" && got != crlf(c.fixed) {
				t.Errorf("%s: %s gives\n%q", c.name, d.Fixes[0].Title, got)
			}
			span.Start = -1
		}
		if span.Start >= 0 {
			t.Errorf("%s is not found", c.name)
		}
	}
}

func TestAWorkspaceMaySetOnlySome(t *testing.T) {
	l := fixture(t, "trusted_folders = [\"/home/me/src\"]\n[profiles.work]\n")
	text, span := marked(t, "profile = \"work\"\n«listen» = \"127.0.0.1:1\"\n")
	for _, d := range l.Diagnostics(t.Context(), document(workspaceURI, text), &companion.View{}) {
		if d.Code != "KP-CONFIG-012" {
			continue
		}
		if d.Span != span || apply(text, d.Fixes[0].Edits) != "profile = \"work\"\n" {
			t.Errorf("got %+v", d)
		}
		if d.Fixes[1].Command.Command != lsp.CmdConfig {
			t.Errorf("the second fix is %+v", d.Fixes[1])
		}
		return
	}
	t.Error("nothing is said")
}

func TestAFileThatIsNotReadSaysSo(t *testing.T) {
	dir := t.TempDir()
	uri := lsp.FileURI(dir + "/.korproxy.toml")
	list := fixture(t, "").Diagnostics(t.Context(), document(uri, "strict = true\n"), &companion.View{})
	if len(list) != 1 || !strings.Contains(list[0].Message, "korproxy workspace trust") || !strings.Contains(list[0].Message, dir) {
		t.Errorf("got %+v", list)
	}
}

func TestMistakesOfOtherFilesAreNotShown(t *testing.T) {
	l := fixture(t, "").(*language)
	l.Load.Env = []string{"KORPROXY_LOG_LEVEL=nothing"}
	l.Load.Texts = map[string][]byte{fileOf(userURI): []byte("strct = true\n[aliases]\nx = \"y\"\n")}
	l.Current = nil
	for _, uri := range []string{workspaceURI, "file:///home/me/other/korproxy.toml"} {
		if list := l.Diagnostics(t.Context(), document(uri, "strict = true\n"), &companion.View{}); len(list) != 0 {
			t.Errorf("%s has %+v", uri, list)
		}
	}
}

func TestASecretIsTakenOutAndAskedFor(t *testing.T) {
	text := "[[accounts]]\nprovider = \"openai\"\ntoken = \"sk-geheim\"\n"
	list := fixture(t, "").Diagnostics(t.Context(), document(userURI, text), &companion.View{})
	if len(list) != 1 {
		t.Fatalf("got %+v", list)
	}
	c := list[0].Fixes[0].Command
	if c == nil || c.Command != lsp.CmdSignIn || len(c.Arguments) != 1 || c.Arguments[0] != "openai" {
		t.Errorf("the fix runs %+v", c)
	}
}

func TestWhatIsWrongWithAnAccountIsShownAtIt(t *testing.T) {
	// The place is where the account stood in the file as it was read.
	text, span := marked(t, "[[accounts]]\nprovider = \"groq\"\n\n[[accounts]]\nname = \"default\"\nprovider = «\"openai\"»\n")
	list := fixture(t, "").Diagnostics(t.Context(), document(userURI, text), view())
	if len(list) != 1 || list[0].Span != span || list[0].Severity != health.Error || list[0].Message != "openai/default is signed-out. Sign in again." {
		t.Fatalf("got %+v", list)
	}
	if f := list[0].Fixes[0]; f.Command == nil || f.Command.Command != lsp.CmdSignIn || f.Command.Arguments[0] != "openai/default" {
		t.Errorf("the first fix is %+v", f)
	}
	if list := fixture(t, "").Diagnostics(t.Context(), document(userURI, "[[accounts]]\nprovider = \"groq\"\n"), view()); len(list) != 0 {
		t.Errorf("the problem of an account that is not in the file is shown: %+v", list)
	}
	v := view()
	v.Problems[0].Place.File = "/elsewhere"
	if list := fixture(t, "").Diagnostics(t.Context(), document(userURI, text), v); len(list) != 0 {
		t.Errorf("a problem of another file is shown: %+v", list)
	}
}

func TestUnreadableBytesAreToldOnce(t *testing.T) {
	list := fixture(t, "").Diagnostics(t.Context(), document(userURI, "strict = tr\xffue\nlisten = 5\n"), &companion.View{})
	if len(list) != 1 || list[0].Code != "KP-CONFIG-002" {
		t.Errorf("got %+v", list)
	}
}

func TestThePathOfACommandIsQuoted(t *testing.T) {
	for _, c := range []struct{ goos, path, want string }{
		{"linux", "/home/me/a-b_c.d", "/home/me/a-b_c.d"},
		{"linux", "/home/me/$(id)", "'/home/me/$(id)'"},
		{"linux", "/home/me/`id`;id", "'/home/me/`id`;id'"},
		{"darwin", "/home/it's", `'/home/it'\''s'`},
		{"linux", "/home/a\nid", ""},
		{"windows", `C:\src\shop`, `C:\src\shop`},
		{"windows", `C:\my src\a&b`, `"C:\my src\a&b"`},
		{"windows", `C:\$(id)`, ""},
		{"windows", `C:\%PATH%`, ""},
	} {
		got, ok := quoted(c.goos, c.path)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %q becomes %s, %v", c.goos, c.path, got, ok)
		}
		if text := trusting(c.goos, c.path); !strings.HasSuffix(text, strings.TrimRight("workspace trust "+c.want, " ")) {
			t.Errorf("%s: %q is trusted by %q", c.goos, c.path, text)
		}
	}
}

// A condition knows its file by the daemon's path, a document by the editor's.
func TestTheFileIsKnownByAnyOfItsPaths(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "korproxy.toml"), filepath.Join(dir, "mine.toml")
	text := "[[accounts]]\nprovider = \"openai\"\nname = \"default\"\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	v := view()
	v.Problems[0].Place.File = link
	if list := fixture(t, "").Diagnostics(t.Context(), document(lsp.FileURI(file), text), v); len(list) != 1 {
		t.Errorf("got %+v", list)
	}
	l := New(Options{Load: config.Options{File: file}})
	if !l.Owns(lsp.FileURI(link)) || l.Owns(lsp.FileURI(dir+"/other.toml")) {
		t.Error("the file is not known by its link, or another is")
	}
}
