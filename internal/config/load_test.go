package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/korproxy/korproxy/internal/fault"
)

var testCatalogue = map[string]Provider{
	"openai":    {Dialect: "openai-chat", BaseURL: "https://api.openai.com/v1", KeyEnv: []string{"OPENAI_API_KEY"}},
	"anthropic": {Dialect: "anthropic-messages", BaseURL: "https://api.anthropic.com"},
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func mustLoad(t *testing.T, opts Options) *Loaded {
	t.Helper()
	l, err := Load(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEmptyAndMissingFilesWork(t *testing.T) {
	want := Config{
		Listen: "127.0.0.1:1337",
		Local:  Local{RequireKey: true},
		Limits: Limits{
			BodyBytes: 64 << 20, HeaderTimeout: 10 * time.Second, KeepAliveTimeout: 2 * time.Minute,
			ConnectTimeout: 10 * time.Second, FirstByteTimeout: 10 * time.Minute,
			IdleTimeout: 5 * time.Minute, DrainTimeout: 30 * time.Second,
		},
		Log:       Log{Level: "info", Format: "text"},
		Profile:   "default",
		Healing:   Healing{Retries: 2, MaxWait: 10 * time.Second, Failover: true},
		Usage:     Usage{Record: true, Days: 90},
		Companion: Companion{IdleExit: 30 * time.Minute},
	}
	for name, file := range map[string]string{
		"no file":      "",
		"missing file": filepath.Join(t.TempDir(), "nothing.toml"),
		"empty file":   writeConfig(t, ""),
		"comment only": writeConfig(t, "# nothing\n"),
		"byte order":   writeConfig(t, "\ufeff# nothing\n"),
	} {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, Options{File: file, Catalogue: testCatalogue}).Config
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLoadEveryKind(t *testing.T) {
	file := writeConfig(t, `
listen = "[::1]:0"
strict = true
local.allowed_hosts = ["host.docker.internal"]
[limits]
body_bytes = 1024
drain_timeout = "1m30s"
[providers.anthropic]
base_url = "http://127.0.0.1:9101"
embeddings = false
[providers.mine]
dialect = "openai-chat"
base_url = "http://127.0.0.1:9100/v1"
headers = { X-Title = "KorProxy" }
no_stop = true
[[providers.mine.models]]
id = "m1"
context = 1000
effort = ["low", "high"]
[[accounts]]
provider = "anthropic"
api_key_env = "ANTHROPIC_API_KEY"
[[accounts]]
provider = "mine"
name = "second"
disabled = true
`)
	want := Default()
	want.Listen, want.Strict = "[::1]:0", true
	want.Local.AllowedHosts = []string{"host.docker.internal"}
	want.Limits.BodyBytes, want.Limits.DrainTimeout = 1024, 90*time.Second
	want.Providers = map[string]Provider{
		"anthropic": {BaseURL: "http://127.0.0.1:9101", Embeddings: Off},
		"mine": {
			Dialect: "openai-chat", BaseURL: "http://127.0.0.1:9100/v1", Headers: map[string]string{"X-Title": "KorProxy"},
			ModelPolicy: ModelPolicy{NoStop: On},
			Models:      []Model{{ID: "m1", Context: 1000, ModelPolicy: ModelPolicy{Effort: []string{"low", "high"}}}},
		},
	}
	want.Accounts = []Account{
		{Provider: "anthropic", Name: "default", APIKeyEnv: "ANTHROPIC_API_KEY", Connect: "key"},
		{Provider: "mine", Name: "second", Connect: "key", Disabled: true},
	}
	got := mustLoad(t, Options{File: file, Catalogue: testCatalogue}).Config
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestProblems has one file per mistake: position, key, and that the fix helps.
func TestProblems(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		code, key  string
		line, col  int
		says       string // part of message and fix
	}{
		{"syntax", "listen = \"a:1\"\nstrict = = true\n", codeSyntax, "strict", 2, 10, "expected value"},
		{"UTF-16", "\xff\xfel\x00", codeSyntax, "", 1, 1, "UTF-8"},
		{"unknown key", "strict = true\nshoes = 1\nlistne = \"a:1\"", codeUnknown, "shoes", 2, 1, "known here"},
		{"near key", "listne = \"127.0.0.1:1\"", codeUnknown, "listne", 1, 1, `"listen"`},
		{"key of another table", "[limits]\n  require_key = false", codeUnknown, "limits.require_key", 2, 3, `"local.require_key"`},
		{"dotted key", "log.levle = \"info\"", codeUnknown, "log.levle", 1, 1, `"level"`},
		{"inline table", "log = { level = \"info\", formt = \"json\" }", codeUnknown, "log.formt", 1, 25, `"format"`},
		{"quoted key", "[providers.\"openai\"]\n\"base-url\" = \"http://h\"", codeUnknown, "providers.openai.base-url", 2, 1, `"base_url"`},
		{"type", "strict = \"yes\"", codeType, "strict", 1, 1, "true or false"},
		{"type in array of tables", "[[accounts]]\nprovider = \"openai\"\n[[accounts]]\nprovider = \"openai\"\nname = 3", codeType, "accounts[1].name", 5, 1, "a whole number"},
		{"duration without unit", "[limits]\ndrain_timeout = \"30\"", codeType, "limits.drain_timeout", 2, 1, `"30s"`},
		{"negative duration", "[limits]\ndrain_timeout = \"-3s\"", codeType, "limits.drain_timeout", 2, 1, "duration"},
		{"size", "[limits]\nbody_bytes = \"64 parsec\"", codeType, "limits.body_bytes", 2, 1, `"64MB"`},
		{"no size", "[limits]\nbody_bytes = 0", codeValue, "limits.body_bytes", 2, 1, "greater than 0"},
		{"table instead of list", "[accounts]\nprovider = \"openai\"", codeType, "accounts", 1, 1, "[[accounts]]"},
		{"value instead of table", "log = 3", codeType, "log", 1, 1, "expected a table"},
		{"enum", "[log]\nlevel = \"warning\"", codeValue, "log.level", 2, 1, `"warn"`},
		{"listen", "listen = \"1337\"", codeListen, "listen", 1, 1, "127.0.0.1:1337"},
		{"listen port", "listen = \"127.0.0.1:99999\"", codeListen, "listen", 1, 1, "65535"},
		{"open to the network", "listen = \"0.0.0.0:1337\"", codeRemote, "listen", 1, 1, "allow_remote"},
		{"all interfaces", "listen = \":1337\"", codeRemote, "listen", 1, 1, "allow_remote"},
		{"open without keys", "listen = \"0.0.0.0:1\"\n[local]\nallow_remote = true\nrequire_key = false", codeRemote, "local.require_key", 4, 1, "set it to true"},
		{"relative URL", "[providers.openai]\nbase_url = \"localhost:8080\"", codeURL, "providers.openai.base_url", 2, 1, "https://"},
		{"pasted endpoint", "[providers.openai]\nbase_url = \"https://h/v1/chat/completions\"", codeURL, "providers.openai.base_url", 2, 1, "leave off /completions"},
		{"unknown dialect", "[providers.mine]\ndialect = \"openai\"\nbase_url = \"http://h\"", codeValue, "providers.mine.dialect", 2, 1, "openai-chat"},
		{"incomplete provider", "[providers.mine]\ndialect = \"gemini\"", codeRow, "providers.mine", 1, 1, "base_url"},
		{"provider mistyped", "[providers.openia]\nbase_url = \"http://h\"", codeRow, "providers.openia", 1, 1, "[providers.openai]"},
		{"provider name", "[providers.\"a/b\"]\ndialect = \"gemini\"", codeValue, `providers."a/b"`, 1, 1, "not a name"},
		{"surface", "[providers.openai.surfaces]\nanthropic = \"\"", codeValue, "providers.openai.surfaces.anthropic", 2, 1, "anthropic-messages"},
		{"policy date", "[providers.openai]\npolicy_date = \"today\"", codeValue, "providers.openai.policy_date", 2, 1, "YYYY-MM-DD"},
		{"model twice", "[[providers.openai.models]]\nid = \"a\"\n[[providers.openai.models]]\nid = \"a\"", codeTwice, "providers.openai.models[1].id", 4, 1, "twice"},
		{"account without provider", "[[accounts]]\nname = \"x\"", codeValue, "accounts[0].provider", 1, 1, "missing"},
		{"unknown provider", "[[accounts]]\nprovider = \"opanai\"", codeProvider, "accounts[0].provider", 2, 1, `"openai"`},
		{"account twice", "[[accounts]]\nprovider = \"openai\"\n[[accounts]]\nprovider = \"openai\"\nname = \"default\"", codeTwice, "accounts[1].name", 5, 1, "accounts[0]"},
		{"own identity", "[providers.openai.headers]\nUser-Agent = \"curl/8\"", codeValue, "providers.openai.headers.User-Agent", 2, 1, "KorProxy's own"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := writeConfig(t, tc.text)
			l, err := Load(Options{File: file, Catalogue: testCatalogue})
			var ps Problems
			if l != nil || !errors.As(err, &ps) {
				t.Fatalf("got %v, %v; want problems alone", l, err)
			}
			p := ps[0]
			got := []any{p.Code, p.Key, p.File, p.Line, p.Col}
			if want := []any{tc.code, tc.key, file, tc.line, tc.col}; !cmp.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if text := p.Message + " " + p.Fix; !strings.Contains(text, tc.says) {
				t.Errorf("%q does not say %q", text, tc.says)
			}
			if fault.Lookup(fault.Code(p.Code)).Class != fault.Config {
				t.Errorf("%s is not registered", p.Code)
			}
		})
	}
}

func TestAllProblemsAreReported(t *testing.T) {
	file := writeConfig(t, `listen = 3
[log]
level = "loud"
colour = true
[[accounts]]
provider = "nobody"
api_key_env = "sk-test-1"
`)
	_, err := Load(Options{File: file, Catalogue: testCatalogue, Env: []string{"KORPROXY_LIMITS_BODY_BYTES=lots"}, Flags: map[string]string{"nope": "1"}})
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range ps {
		got[p.Key] = p.Code
	}
	want := map[string]string{
		"listen": codeType, "log.level": codeValue, "log.colour": codeUnknown, "accounts[0].provider": codeProvider,
		"accounts[0].api_key_env": codeSecret, "limits.body_bytes": codeType, "nope": codeUnknown,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, ok := errors.AsType[Problem](err); !ok {
		t.Error("a single problem cannot be taken from the list")
	}
	for _, p := range ps {
		if !strings.Contains(err.Error(), p.Error()) {
			t.Errorf("%q is not in the error's text", p.Error())
		}
	}
}

// TestProblemsHideSecrets pastes a key into every place people paste one.
func TestProblemsHideSecrets(t *testing.T) {
	const key = "sk-ant-api03-verysecretvalue"
	for name, text := range map[string]string{
		"as the variable's name": "[[accounts]]\nprovider = \"openai\"\napi_key_env = \"" + key + "\"",
		"as a key of an account": "[[accounts]]\nprovider = \"openai\"\napi_key = \"" + key + "\"",
		"in a list of variables": "[providers.openai]\nkey_env = [\"" + key + "\"]",
		"as a header":            "[providers.openai.headers]\nAuthorization = \"Bearer " + key + "\"",
		"in a URL":               "[providers.openai]\nbase_url = \"https://h/v1?key=" + key + "\"",
		"as a URL's password":    "[providers.openai]\nbase_url = \"https://me:" + key + "@h/v1\"",
		"as an enum":             "[providers.openai]\nauth = \"" + key + "\"",
		"as a name":              "[[accounts]]\nprovider = \"openai\"\nname = \"a b " + key + "\"",
		"without quotes":         "api_key_env = " + key,
		"letters without quotes": "api_key_env = verysecretvalue",
		"as a number":            "api_key_env = 12verysecretvalue",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(Options{File: writeConfig(t, text), Catalogue: testCatalogue})
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), "verysecret") {
				t.Errorf("the message repeats it: %v", err)
			}
		})
	}
}

func TestLayers(t *testing.T) {
	file := writeConfig(t, "strict = false\n[log]\nlevel = \"warn\"\nformat = \"json\"\n[limits]\ndrain_timeout = \"1s\"\n")
	ws := writeConfig(t, "strict = true\n")
	l := mustLoad(t, Options{
		File: file, Workspace: ws,
		Env:   []string{"KORPROXY_LISTEN=127.0.0.1:1", "KORPROXY_LOG_LEVEL=error", "KORPROXY_LOCAL_ALLOWED_HOSTS=a, b", "KORPROXY_STRICT=", "OTHER=1"},
		Flags: map[string]string{"listen": "127.0.0.1:2", "local.require_key": "false", "limits.body_bytes": "1KB"},
	})
	for _, tc := range []struct {
		key, value string
		layer      Layer
		source     string
		line       int
		shadowed   []Layer
	}{
		{"listen", `"127.0.0.1:2"`, LayerFlag, "--listen", 0, []Layer{LayerEnv}},
		{"log.level", `"error"`, LayerEnv, "KORPROXY_LOG_LEVEL", 0, []Layer{LayerUser}},
		{"strict", "true", LayerWorkspace, ws, 1, []Layer{LayerUser}},
		{"log.format", `"json"`, LayerUser, file, 4, nil},
		{"limits.drain_timeout", `"1s"`, LayerUser, file, 6, nil},
		{"limits.idle_timeout", `"5m"`, LayerDefault, "", 0, nil},
		{"limits.body_bytes", `"1KB"`, LayerFlag, "--limits.body_bytes", 0, nil},
		{"local.require_key", "false", LayerFlag, "--local.require_key", 0, nil},
		{"local.allowed_hosts", `["a", "b"]`, LayerEnv, "KORPROXY_LOCAL_ALLOWED_HOSTS", 0, nil},
	} {
		t.Run(tc.key, func(t *testing.T) {
			e, err := l.Explain(tc.key)
			if err != nil {
				t.Fatal(err)
			}
			var shadowed []Layer
			for _, o := range e.Shadowed {
				shadowed = append(shadowed, o.Layer)
			}
			got := []any{e.Value, e.Origin.Layer, e.Origin.Source, e.Origin.Line, shadowed}
			want := []any{tc.value, tc.layer, tc.source, tc.line, tc.shadowed}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if e.Doc == "" || e.Type == "" || e.Env != EnvName(tc.key) {
				t.Errorf("incomplete: %+v", e)
			}
		})
	}
}

func TestWorkspaceMaySetLittle(t *testing.T) {
	ws := writeConfig(t, "listen = \"127.0.0.1:9\"\n[local]\nrequire_key = false\n[[accounts]]\nprovider = \"openai\"\n[providers.openai]\nbase_url = \"http://evil.example\"\n")
	_, err := Load(Options{Workspace: ws, Catalogue: testCatalogue})
	var ps Problems
	if !errors.As(err, &ps) || len(ps) != 4 {
		t.Fatalf("got %v, want 4 problems", err)
	}
	for _, p := range ps {
		if p.Code != codeScope {
			t.Errorf("got %v", p)
		}
	}
}

func TestRequiredFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "x.toml")
	for name, file := range map[string]string{"missing": missing, "a folder": t.TempDir()} {
		_, err := Load(Options{File: file, Required: true})
		var p Problem
		if !errors.As(err, &p) || p.Code != codeRead || p.File != file {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestExplainCatalogueAndEntries(t *testing.T) {
	file := writeConfig(t, "[providers.openai]\nname = \"Mine\"\n[providers.openai.headers]\n\"x.y\" = \"z\"\n[[accounts]]\nprovider = \"openai\"\n")
	l := mustLoad(t, Options{File: file, Catalogue: testCatalogue})
	for _, tc := range []struct {
		key, value string
		layer      Layer
	}{
		{"providers.openai.name", `"Mine"`, LayerUser},
		{"providers.openai.base_url", `"https://api.openai.com/v1"`, LayerCatalogue},
		{"providers.openai.key_env", `["OPENAI_API_KEY"]`, LayerCatalogue},
		{"providers.openai.embeddings", "", LayerDefault},
		{"providers.anthropic.dialect", `"anthropic-messages"`, LayerCatalogue},
		{`providers.openai.headers."x.y"`, `"z"`, LayerUser},
		{"providers.openai.headers", `{"x.y" = "z"}`, LayerUser},
		{"accounts[0].provider", `"openai"`, LayerUser},
		{"accounts[0].name", `"default"`, LayerDefault},
	} {
		e, err := l.Explain(tc.key)
		if err != nil {
			t.Errorf("%s: %v", tc.key, err)
			continue
		}
		if e.Value != tc.value || e.Origin.Layer != tc.layer {
			t.Errorf("%s: got %s from %s, want %s from %s", tc.key, e.Value, e.Origin.Layer, tc.value, tc.layer)
		}
	}
	for key, says := range map[string]string{"listn": `"listen"`, "limits.drain": `"limits.drain_timeout"`, "limits.shoes": "known here", "accounts[3].name": "[3]", "providers.no": "no entry", "listen.x": "unknown key", "": "known here"} {
		_, err := l.Explain(key)
		var p Problem
		if !errors.As(err, &p) || !strings.Contains(p.Message+p.Fix, says) {
			t.Errorf("%s: got %v, want %q", key, err, says)
		}
	}
	for _, key := range l.Keys() {
		if _, err := l.Explain(key); err != nil {
			t.Errorf("a listed key is unknown: %v", err)
		}
	}
	if keys := l.Keys(); !slices.Contains(keys, "providers.openai.name") || !slices.Contains(keys, "limits.body_bytes") {
		t.Errorf("keys: %v", keys)
	}
}

func TestDecodeCatalogue(t *testing.T) {
	rows, err := DecodeCatalogue("catalogue.toml", []byte("[families]\nx = 1\n[providers.p]\nname = \"P\"\nstatus = \"not permitted\"\nlocal = true\n[providers.p.surfaces]\nanthropic-messages = \"\"\n"))
	want := map[string]Provider{"p": {Name: "P", Status: "not permitted", Local: On, Surfaces: map[string]string{"anthropic-messages": ""}}}
	if diff := cmp.Diff(want, rows); err != nil || diff != "" {
		t.Error(err, diff)
	}
	for _, text := range []string{"= 1", "providers = 1", "[providers.p]\nnmae = \"\"", "[[providers.p.models]]\nid = \"a\"\n[[providers.p.models]]\nid = \"a\""} {
		if _, err := DecodeCatalogue("c", []byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"64MB": 64 << 20, "64mib": 64 << 20, "1 KB": 1024, "7": 7, "7b": 7, "2GB": 2 << 30, "": -1, "MB": -1, "-1KB": -1, "1.5MB": -1, "9999999999GB": -1} {
		got, err := parseBytes(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

var equateEmpty = cmpopts.EquateEmpty()
