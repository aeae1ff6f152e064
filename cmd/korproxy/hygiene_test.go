//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// planted are the secrets of the test. None looks like a key by its form, so
// that no pattern of Redact finds them: what hides them has to know them.
var planted = map[string]string{
	"key from the environment":  "wanderlust-marmalade-environment-0001",
	"key from the secret store": "wanderlust-marmalade-stored-0002",
	"access token":              "wanderlust-marmalade-access-0003",
	"refresh token":             "wanderlust-marmalade-refresh-0004",
	"key that is refused":       "wanderlust-marmalade-refused-0005",
}

const hygieneTOML = `
[log]
level = "debug"
[providers.good]
dialect = "openai-chat"
base_url = "%[1]s/v1"
local = false
[providers.quoting]
dialect = "openai-responses"
base_url = "%[2]s/v1"
local = false
[providers.signed]
dialect = "anthropic-messages"
base_url = "%[1]s"
local = false
[providers.signed.connect.browser]
issuer = "%[2]s"
client_id = "ours"
[[accounts]]
provider = "good"
name = "env"
api_key_env = "HYGIENE_GOOD"
[[accounts]]
provider = "quoting"
name = "env"
api_key_env = "HYGIENE_REFUSED"
[[accounts]]
provider = "signed"
name = "me"
connect = "browser"
`

// quoting refuses all it is sent and says all it was sent with: the worst a
// provider can do.
func quoting(s proxytest.Seen) proxytest.Reply {
	said := strings.TrimPrefix(s.Header.Get("Authorization"), "Bearer ") + s.Header.Get("X-Api-Key")
	return proxytest.JSON(401, fmt.Sprintf(`{"error":{"message":"Incorrect API key provided: %s","type":"invalid_request_error","code":"invalid_api_key"}}`, said)).
		With("X-Ratelimit-Remaining-Requests", "5")
}

// TestSecretsStayWhereTheyBelong uses planted keys and tokens in every way there
// is, well and badly, and then looks for them wherever something is written.
func TestSecretsStayWhereTheyBelong(t *testing.T) {
	goodOne, badOne := proxytest.NewProvider(t), proxytest.NewProvider(t)
	goodOne.OnFunc("", func(s proxytest.Seen) proxytest.Reply {
		if s.Method == http.MethodGet {
			return proxytest.JSON(200, `{"data":[{"id":"m"}]}`)
		}
		if strings.HasPrefix(s.Path, "/v1/messages") {
			return good(proxytest.AnthropicMessages, strings.Contains(string(s.Body), `"stream":true`))
		}
		return good(proxytest.OpenAIChat, strings.Contains(string(s.Body), `"stream":true`))
	})
	badOne.OnFunc("", quoting)
	t.Setenv("HYGIENE_GOOD", planted["key from the environment"])
	t.Setenv("HYGIENE_REFUSED", planted["key that is refused"])
	d := startProcess(t, fmt.Sprintf(hygieneTOML, goodOne.URL, badOne.URL))
	d.home, d.app = lookup(d.Env)(config.HomeEnv), &app{environ: d.Env, getenv: lookup(d.Env), in: strings.NewReader("")}
	said := &bytes.Buffer{}
	storeToken(t, &d.running, "signed", "me", planted["access token"], planted["refresh token"])
	d.command(t, said, planted["key from the secret store"]+"\n", "accounts", "add", "good", "--name", "stored", "--key-stdin")

	d.ask(said, "good/m", 200)
	d.ask(said, "signed/m", 200)
	d.ask(said, "quoting/m", 401)
	goodOne.OnFunc("", quoting)
	d.ask(said, "good/m", 401)
	d.ask(said, "signed/m", 0)
	for _, args := range [][]string{
		{"test", "--all", "--yes"},
		{"test", "--all", "--yes", "--json"},
		{"status"},
		{"status", "--json"},
		{"accounts", "list"},
		{"accounts", "list", "--json"},
		{"accounts", "show", "quoting/env"},
		{"accounts", "show", "signed/me", "--json"},
		{"models"},
		{"config", "explain"},
		{"keys", "list"},
	} {
		d.command(t, said, "", args...)
	}
	said.Write(d.do(http.MethodGet, "/metrics", nil).Body)
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", d.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	said.Write(cmdline)
	eventually(t, "the log says why a list was not read", func() bool { return strings.Contains(d.Stderr.(*logBuffer).String(), "level=DEBUG") })
	// What Go writes of a program that is killed in anger.
	if err := d.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	d.wait(t)
	log := d.Stderr.(*logBuffer).String()
	if !strings.Contains(log, "goroutine ") {
		t.Errorf("the log holds no trace:\n%s", log)
	}
	said.WriteString(log)
	for _, must := range []string{"KP-ACCT-001", "[redacted]", "quoting/env", "signed-out"} {
		if !strings.Contains(said.String(), must) {
			t.Errorf("nothing was said of %q: the test looks at too little", must)
		}
	}
	lookFor(t, "what was said", said.Bytes())
	files := 0
	err = filepath.WalkDir(d.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		lookFor(t, path, b) // the secret store too: it is encrypted
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}

// lookFor reports planted secrets in b, and what is nearly all of one.
func lookFor(t *testing.T, where string, b []byte) {
	t.Helper()
	for what, secret := range planted {
		if i := bytes.Index(b, []byte(secret[12:])); i >= 0 {
			t.Errorf("the %s stands in %s: …%s…", what, where, b[max(0, i-80):min(len(b), i+60)])
		}
	}
}

// ask sends a request in every dialect, streamed and not, and writes down what
// came back. status 0 takes any failure.
func (p *process) ask(said *bytes.Buffer, model string, status int) {
	p.t.Helper()
	for _, from := range fiveDialects {
		for _, stream := range []bool{false, true} {
			path, body := ask(from, model, stream)
			a := p.post(path, body)
			if status != 0 && a.Status != status || status == 0 && a.Status < 400 {
				p.t.Errorf("%s from %s: got %d %s", model, from, a.Status, a.Body)
			}
			fmt.Fprintln(said, a.Header)
			said.Write(a.Body)
		}
	}
}

// command runs the program beside the daemon, and writes down what it says and
// how it was called.
func (p *process) command(t *testing.T, said *bytes.Buffer, typed string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "korproxy", args...)
	c.Env, c.Stdin = p.Env, strings.NewReader(typed)
	out, err := c.CombinedOutput()
	said.Write(out)
	if len(out) == 0 {
		t.Errorf("korproxy %s says nothing: %v", strings.Join(args, " "), err)
	}
	if bytes.Contains(out, []byte("KP-CLI-001")) {
		t.Errorf("korproxy %s: %s", strings.Join(args, " "), out)
	}
}
