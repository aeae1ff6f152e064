package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
)

// planAPI is an API that takes the access tokens of a sign-in server.
func planAPI(t *testing.T, s *oauthtest.Server) *httptest.Server {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !s.Takes(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")):
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"message":"bad token","type":"invalid_request_error","code":"invalid_api_key"}}`)
		case strings.HasSuffix(r.URL.Path, "/models"):
			_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"corp-1","object":"model"}]}`)
		default:
			_, _ = io.WriteString(w, `{"id":"1","object":"chat.completion","model":"corp-1","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hello"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
		}
	}))
	t.Cleanup(api.Close)
	return api
}

// corpTOML is a provider with ways of its own.
func corpTOML(api, issuer string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[providers.corp]\nname = \"Corp\"\ndialect = \"openai-chat\"\nbase_url = %q\n", api+"/v1")
	for _, kind := range []string{"browser", "device"} {
		fmt.Fprintf(&b, "[providers.corp.connect.%s]\nissuer = %q\nclient_id = \"korproxy-test\"\nscopes = [\"openid\", \"api\"]\npolicy = \"Ours.\"\n", kind, issuer)
	}
	fmt.Fprintf(&b, "[providers.corp.connect.client-credentials]\nissuer = %q\nclient_id = \"korproxy-test\"\nclient_secret_env = \"CORP_SECRET\"\n", issuer)
	return b.String()
}

// command is a korproxy of a home, as a process. Its output is whole when it
// has ended; lines gets the objects of --json as they come.
func (d *running) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "korproxy", args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.home}, d.app.environ...)
	return cmd
}

// signIn runs login --json and answers its events, until it ends.
func (d *running) signIn(t *testing.T, answer func(event map[string]any), args ...string) (events []map[string]any, out string, err error) {
	t.Helper()
	cmd := d.command(t, append([]string{"login", "--json"}, args...)...)
	pipe, perr := cmd.StdoutPipe()
	if perr != nil {
		t.Fatal(perr)
	}
	var text logBuffer
	cmd.Stderr = &text
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(io.TeeReader(pipe, &text))
	for {
		var e map[string]any
		if dec.Decode(&e) != nil {
			break
		}
		events = append(events, e)
		if answer != nil {
			answer(e)
		}
	}
	return events, text.String(), cmd.Wait()
}

// follow opens an address as a browser would.
func follow(t *testing.T) func(map[string]any) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	return func(e map[string]any) {
		address, _ := e["url"].(string)
		if e["event"] != "url" {
			return
		}
		wg.Go(func() {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if resp, err := c.Get(address); err == nil {
				resp.Body.Close()
			}
		})
	}
}

const corpAsk = `{"model":"corp/corp-1","messages":[{"role":"user","content":"hi"}]}`

func TestLoginServesAndLogsOut(t *testing.T) {
	server := oauthtest.Started(t)
	api := planAPI(t, server)
	d := startDaemon(t, corpTOML(api.URL, server.URL))

	events, out, err := d.signIn(t, follow(t), "corp", "--browser")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	last := events[len(events)-1]
	if last["event"] != "connected" || last["user"] != "user@example.com" || events[0]["event"] != "policy" || events[0]["text"] != "Ours." {
		t.Errorf("events %v", events)
	}
	if got := d.post("/v1/chat/completions", corpAsk); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}

	// The provider refuses the token; it is renewed once, and the caller does not notice.
	access := func() string { return tokenOf(t, d, "corp/default") }
	before := access()
	server.Expire(before)
	if got := d.post("/v1/chat/completions", corpAsk); got.Status != 200 {
		t.Errorf("after a 401: %d %s", got.Status, got.Body)
	}
	if n := len(server.Forms("refresh_token")); n != 1 || access() == before {
		t.Errorf("renewed %d times", n)
	}
	text, _ := os.ReadFile(filepath.Join(d.home, config.FileName))
	for name, place := range map[string]string{"the output": out, "the configuration": string(text), "the log": d.Log.String()} {
		for _, secret := range []string{"access-", "refresh-", "code-"} {
			if strings.Contains(place, secret+"A") || strings.Contains(place, before) {
				t.Errorf("%s holds a secret of %s", name, secret)
			}
		}
	}
	if !strings.Contains(string(text), "connect = \"browser\"") {
		t.Errorf("the configuration:\n%s", text)
	}

	// Signing in again replaces the sign-in; as somebody else it does not.
	server.Change(func() { server.Subject, server.Email = "user-2", "other@example.com" })
	if events, _, err := d.signIn(t, follow(t), "corp", "--browser"); err == nil || events[len(events)-1]["code"] != "KP-LOGIN-010" {
		t.Errorf("as somebody else: %v", events)
	}
	if got := d.post("/v1/chat/completions", corpAsk); got.Status != 200 {
		t.Errorf("the sign-in is gone: %d %s", got.Status, got.Body)
	}

	said, err := d.command(t, "logout", "corp").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(said), "signed out corp/default (user@example.com)") || strings.Contains(string(said), "note") {
		t.Errorf("%v: %s", err, said)
	}
	if n := len(server.Revoked()); n != 2 { // one of the sign-in that was refused
		t.Errorf("%d were revoked", n)
	}
	eventually(t, "the daemon has let the token go", func() bool {
		return strings.Contains(string(d.post("/v1/chat/completions", corpAsk).Body), "KP-ACCT-004") || d.post("/v1/chat/completions", corpAsk).Header.Get("X-Korproxy-Error") == "KP-ACCT-004"
	})
	after, _ := os.ReadFile(filepath.Join(d.home, config.FileName))
	if !bytes.Equal(text, after) {
		t.Errorf("the account did not stay:\n%s", after)
	}
	if events, out, err := d.signIn(t, follow(t), "corp", "--browser"); err != nil || events[len(events)-1]["user"] != "other@example.com" {
		t.Errorf("after signing out: %v\n%s", err, out)
	}
}

// tokenOf reads an access token out of the store.
func tokenOf(t *testing.T, d *running, label string) string {
	t.Helper()
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.app.secrets(p).Get(t.Context(), "token/"+label)
	if err != nil {
		t.Fatal(err)
	}
	var tok struct{ Access string }
	if err := json.Unmarshal([]byte(v.Reveal()), &tok); err != nil {
		t.Fatal(err)
	}
	return tok.Access
}

func TestLoginByOtherWays(t *testing.T) {
	server := oauthtest.New(t)
	server.Start()
	api := planAPI(t, server)
	d := startDaemon(t, corpTOML(api.URL, server.URL), "CORP_SECRET=s3cret")

	events, out, err := d.signIn(t, func(e map[string]any) {
		if e["event"] == "code" {
			server.Answer(e["code"].(string), "approved")
		}
	}, "corp", "--device", "--name", "phone")
	if err != nil || events[len(events)-1]["connect"] != "device" {
		t.Errorf("device: %v\n%s", err, out)
	}

	// Signing in again is not choosing again.
	events, out, err = d.signIn(t, func(e map[string]any) {
		if e["event"] == "code" {
			server.Answer(e["code"].(string), "approved")
		}
	}, "corp/phone")
	if err != nil || events[len(events)-1]["connect"] != "device" {
		t.Errorf("again: %v\n%s", err, out)
	}

	server.Change(func() { server.Secret = "s3cret" })
	if _, out, err := d.signIn(t, nil, "corp/robot", "--way", "client-credentials"); err != nil {
		t.Errorf("client credentials: %v\n%s", err, out)
	}
	server.Change(func() { server.Secret = "" })

	// A browser elsewhere: what it ends at is pasted.
	cmd := d.command(t, "login", "corp/elsewhere", "--paste", "--json")
	stdin, _ := cmd.StdinPipe()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dec, kinds := json.NewDecoder(stdout), []any{}
	for {
		var e map[string]any
		if dec.Decode(&e) != nil {
			break
		}
		kinds = append(kinds, e["event"])
		if e["event"] == "url" {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			resp, err := c.Get(e["url"].(string))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			fmt.Fprintln(stdin, resp.Header.Get("Location"))
		}
	}
	if err := cmd.Wait(); err != nil || kinds[len(kinds)-1] != "connected" {
		t.Errorf("paste: %v %v", err, kinds)
	}
	for _, name := range []string{"phone", "robot", "elsewhere"} {
		if !server.Takes(tokenOf(t, d, "corp/"+name)) {
			t.Errorf("the token of %s is not there", name)
		}
	}
}

func TestLoginThatIsInterrupted(t *testing.T) {
	server := oauthtest.Started(t)
	d := startDaemon(t, corpTOML(server.URL, server.URL))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	cmd := exec.CommandContext(ctx, "korproxy", "login", "corp", "--browser", "--json")
	cmd.Env = d.command(t).Env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dec, last := json.NewDecoder(out), map[string]any{}
	for {
		var e map[string]any
		if dec.Decode(&e) != nil {
			break
		}
		if last = e; e["event"] == "url" {
			stop()
		}
	}
	if _ = cmd.Wait(); last["code"] != "KP-LOGIN-014" || cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("got %v, exit %d", last, cmd.ProcessState.ExitCode())
	}
	text, _ := os.ReadFile(filepath.Join(d.home, config.FileName))
	if strings.Contains(string(text), "[[accounts]]") {
		t.Errorf("an account was written:\n%s", text)
	}
}

func TestLoginWithAServiceAccount(t *testing.T) {
	google := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("assertion") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"ya29.test","token_type":"Bearer","expires_in":3599}`)
	}))
	defer google.Close()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	text, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "robot@project.iam.gserviceaccount.com", "private_key_id": "1", "token_uri": google.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	d := startDaemon(t, "[providers.vertex]\nproject = \"p\"\nlocation = \"global\"\n")
	file := filepath.Join(d.home, "robot.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	events, out, err := d.signIn(t, nil, "vertex", "--file", file)
	if err != nil || events[len(events)-1]["connect"] != "service-account" || events[len(events)-1]["user"] != "robot@project.iam.gserviceaccount.com" {
		t.Fatalf("%v\n%s", err, out)
	}
	toml, _ := os.ReadFile(filepath.Join(d.home, config.FileName))
	if !strings.Contains(string(toml), "credentials_file = ") || strings.Contains(string(toml), "PRIVATE KEY") || strings.Contains(out, "ya29") {
		t.Errorf("the configuration:\n%s", toml)
	}
	if _, out, err := d.signIn(t, nil, "vertex"); err != nil {
		t.Errorf("again: %v\n%s", err, out)
	}
	google.Close()
	if events, _, err := d.signIn(t, nil, "vertex/other", "--file", file); err == nil || events[len(events)-1]["code"] != "KP-ACCT-008" {
		t.Errorf("with Google down: %v", events)
	}
}

func TestOpener(t *testing.T) {
	for _, tc := range []struct {
		name, goos string
		env        []string
		want       string
	}{
		{"a desktop", "linux", []string{"DISPLAY=:0"}, "xdg-open"},
		{"Wayland", "linux", []string{"WAYLAND_DISPLAY=wayland-0"}, "xdg-open"},
		{"a container", "linux", nil, ""},
		{"SSH", "linux", []string{"SSH_CONNECTION=1 2 3 4"}, ""},
		{"SSH with X", "linux", []string{"SSH_CONNECTION=1 2 3 4", "DISPLAY=:10"}, "xdg-open"},
		{"WSL", "linux", []string{"WSL_DISTRO_NAME=Debian"}, "rundll32.exe url.dll,FileProtocolHandler"},
		{"one's own", "linux", []string{"BROWSER=lynx -x"}, "lynx -x"},
		{"a Mac", "darwin", nil, "open"},
		{"a Mac over SSH", "darwin", []string{"SSH_TTY=/dev/ttys0"}, ""},
		{"Windows", "windows", nil, "rundll32 url.dll,FileProtocolHandler"},
		{"Windows over SSH", "windows", []string{"SSH_CONNECTION=1"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(opener(tc.goos, lookup(tc.env)), " "); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMenu(t *testing.T) {
	items := []item{{id: "a", label: "Alpha"}, {id: "x", label: "Not this", off: true}, {id: "b", label: "Beta"}}
	for _, tc := range []struct {
		name, typed string
		first       bool
		want        string
	}{
		{"a number", "2\nrest", false, "b"},
		{"a name", "a\n", false, "a"},
		{"an empty line takes the first", "\n", true, "a"},
		{"an empty line cancels", "\n", false, ""},
		{"what is not to be had, then another", "x\n7\n0\nb\n", false, "b"},
		{"the last line without an end", "2", false, "b"},
		{"nobody there", "", false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := strings.NewReader(tc.typed)
			var shown bytes.Buffer
			a := &app{in: in, err: &shown}
			got, err := a.menu(t.Context(), "Which?", items, tc.first)
			if got != tc.want || (err != nil) != (tc.want == "") {
				t.Errorf("got %q, %v", got, err)
			}
			if !strings.Contains(shown.String(), "   -  Not this") || strings.Contains(shown.String(), "\x1b") {
				t.Errorf("shown:\n%s", &shown)
			}
			if left, _ := io.ReadAll(in); tc.name == "a number" && string(left) != "rest" {
				t.Errorf("%q is left", left)
			}
		})
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	r, w := io.Pipe()
	defer w.Close()
	if _, err := (&app{in: r, err: io.Discard}).menu(ctx, "Which?", items, false); err == nil || !strings.Contains(err.Error(), "KP-LOGIN-014") {
		t.Errorf("stopped: %v", err)
	}
}

// A sign-in whose account cannot be written leaves nothing behind.
func TestLoginThatCannotBeWritten(t *testing.T) {
	server := oauthtest.Started(t)
	d := startDaemon(t, "accounts = []\n"+corpTOML(server.URL, server.URL))
	events, out, err := d.signIn(t, follow(t), "corp", "--browser")
	if code, _ := events[len(events)-1]["code"].(string); err == nil || !strings.HasPrefix(code, "KP-CONFIG-") {
		t.Errorf("got %v\n%s", events, out)
	}
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	names, err := d.app.secrets(p).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if strings.HasPrefix(n, "token/") {
			t.Errorf("%s is left in the store", n)
		}
	}
}
