//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/korproxy/korproxy/companion/companiontest"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// desk is a home with real programs at work in it.
type desk struct {
	t     *testing.T
	home  string
	bin   string
	paths config.Paths
}

// newDesk makes a home with a configuration. The daemon, which an editor starts,
// takes any free port.
func newDesk(t *testing.T, toml string) *desk {
	t.Helper()
	d := &desk{t: t, home: t.TempDir(), bin: t.TempDir()}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"korproxy", "korproxy-old", "korproxy-new"} {
		if err := os.Link(exe, filepath.Join(d.bin, name)); err != nil {
			copyFile(t, exe, filepath.Join(d.bin, name)) // another file system
		}
	}
	d.write(toml)
	d.paths, err = config.FindPaths(lookup(d.env()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = newClient(d.paths).call(context.Background(), http.MethodPost, "/stop", nil, nil) // it may be gone
		for limit := time.Now().Add(patience); !lockFree(d.paths) && time.Now().Before(limit); {
			runtime.Gosched()
		}
		if t.Failed() {
			if b, err := os.ReadFile(d.paths.LogFile); err == nil {
				t.Logf("log of the daemon:\n%.8000s", b)
			}
		}
	})
	return d
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o700); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) write(toml string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.home, config.FileName), []byte(toml), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, config.HomeEnv + "=" + d.home, "KORPROXY_KEYRING=off", "KORPROXY_LISTEN=127.0.0.1:0",
	}
}

// editor starts `korproxy lsp` as an editor does.
func (d *desk) editor(program string) (*companiontest.Editor, *exec.Cmd) {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, program), "lsp", "--stdio")
	c.Env = d.env()
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		in.Close()
		_ = c.Wait() // its status is looked at by the test that wants it
	})
	return companiontest.Attach(d.t, out, in), c
}

func (d *desk) status() httpd.Status {
	d.t.Helper()
	st, err := newClient(d.paths).status(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return st
}

// Four editors at once have one daemon between them. When it is killed each says
// so, and all are ready again with what they had open.
func TestEditorsShareADaemonAndOutliveIt(t *testing.T) {
	d := newDesk(t, "[profiles.work]\n")
	kinds := []companiontest.Kind{companiontest.VSCode(), companiontest.NeoVim(), companiontest.Emacs(), companiontest.Plain()}
	editors := make([]*companiontest.Editor, len(kinds))
	for i, k := range kinds {
		editors[i], _ = d.editor("korproxy")
		editors[i].Answer = func(method string, _ json.RawMessage) any {
			if method == lsp.MethodInput {
				return companiontest.Silence
			}
			return nil
		}
		editors[i].Initialize(k)
	}
	uri := lsp.FileURI(filepath.Join(d.home, config.FileName))
	for _, e := range editors {
		ready(e, 0)
		e.Open(uri, "strct = true\n")
	}
	broken := func(list []companiontest.Diagnostic) bool { return len(list) == 1 && list[0].Code == "KP-CONFIG-003" }
	editors[1].Diagnostics(0, uri, broken)
	// An input that waits for its user when the daemon dies is taken back.
	editors[1].Execute(nil, lsp.CmdSignIn, "openai", "key")
	asked := editors[1].Await("a question", func(m companiontest.Message) bool { return m.Method == lsp.MethodInput })

	first := d.status().PID
	marks := make([]int, len(editors))
	for i, e := range editors {
		marks[i] = e.Mark()
	}
	began := time.Now()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for i, e := range editors {
		if i < 3 {
			e.Status(marks[i], lsp.Restarting)
		}
		ready(e, marks[i])
	}
	t.Logf("all ready again after %v", time.Since(began).Round(time.Millisecond))
	if now := d.status().PID; now == first {
		t.Errorf("the daemon is still %d", now)
	}
	editors[1].AwaitFrom(marks[1], "the end of the question", func(m companiontest.Message) bool {
		return m.Method == "$/cancelRequest" && strings.Contains(string(m.Params), string(asked.ID))
	})
	editors[1].Diagnostics(marks[1], uri, broken)
	for i, e := range editors {
		var m lsp.Menu
		e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "profiles"}, &m)
		if len(m.Items) != 2 || m.Items[1].Label != "work" {
			t.Errorf("%s: the menu is %+v", kinds[i].Name, m)
		}
		e.Leave()
	}
}

// ready waits for the status in the form the editor takes.
func ready(e *companiontest.Editor, mark int) {
	e.AwaitFrom(mark, "ready", func(m companiontest.Message) bool {
		var s lsp.StatusParams
		var other lsp.ServerStatus
		switch m.Method {
		case lsp.MethodStatus:
			return json.Unmarshal(m.Params, &s) == nil && (s.State == lsp.Ready || s.State == lsp.Degraded)
		case lsp.MethodServerStatus:
			return json.Unmarshal(m.Params, &other) == nil && other.Quiescent && !strings.Contains(other.Message, "not start")
		}
		return false
	})
}

// A request that is under way when the daemon dies fails in a way that says it can
// be asked again, and one that comes while there is none waits for the next.
func TestRequestsOverADeath(t *testing.T) {
	p := newSlowProvider(t)
	d := newDesk(t, "[providers.slow]\ndialect = \"openai-chat\"\nbase_url = \""+p.url+"/v1\"\n")
	e, _ := d.editor("korproxy")
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Ready)
	id := e.Request(lsp.MethodChat, lsp.ChatParams{Model: "slow/m", Messages: []lsp.ChatMessage{{Role: "user", Parts: []lsp.ChatPart{{Type: "text", Text: "hi"}}}}})
	<-p.asked
	mark := e.Mark()
	if err := syscall.Kill(d.status().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m := e.Reply(id)
	var data lsp.ErrorData
	if m.Error == nil || json.Unmarshal(m.Error.Data, &data) != nil || !data.Retry || data.Code == "" {
		t.Errorf("the answer to a lost request is %+v", m)
	}
	var menu lsp.Menu
	e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, &menu)
	e.Status(mark, lsp.Ready)
	e.Leave()
}

// slowProvider takes a request and never answers it.
type slowProvider struct {
	url   string
	asked chan struct{}
}

func newSlowProvider(t *testing.T) *slowProvider {
	t.Helper()
	p := &slowProvider{asked: make(chan struct{}, 16)}
	p.url = serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/models") {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"m","object":"model"}]}`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		p.asked <- struct{}{}
		<-r.Context().Done()
	}))
	return p
}

// serveHTTP serves until the test ends, and cuts what is open then.
func serveHTTP(t *testing.T, h http.Handler) string {
	t.Helper()
	l, err := listenOnce("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: patience}
	var done sync.WaitGroup
	done.Go(func() { _ = srv.Serve(l) }) // ends with Close
	t.Cleanup(func() { srv.Close(); done.Wait() })
	return "http://" + l.Addr().String()
}

// Where no daemon can be had the editor is told why, and what it can do works.
func TestNoDaemonCanBeStarted(t *testing.T) {
	d := newDesk(t, "")
	taken, err := listenOnce("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Setenv("KORPROXY_LISTEN", taken.Addr().String())
	e, _ := d.editorAt(taken.Addr().String())
	e.Initialize(companiontest.VSCode())
	s := e.Status(0, lsp.Failed)
	if !strings.Contains(s.Hover, "is taken") || s.Severity != lsp.Error {
		t.Errorf("the status is %+v", s)
	}
	e.Await("a message", func(m companiontest.Message) bool {
		return m.Method == "window/showMessageRequest" && strings.Contains(string(m.Params), "KP-DAEMON-") && strings.Contains(string(m.Params), "Open log")
	})
	var menu lsp.Menu
	e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, &menu)
	if len(menu.Items) != 2 || menu.Items[0].Command.Command != lsp.CmdRestart {
		t.Errorf("the menu without a daemon is %+v", menu)
	}
	if err := e.Try("workspace/executeCommand", map[string]any{"command": lsp.CmdUsage}, nil); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("a command without a daemon: %v", err)
	}
	e.Execute(nil, lsp.CmdLogs)
	e.Await("the log", func(m companiontest.Message) bool { return m.Method == "window/showDocument" })
	taken.Close()
	mark := e.Mark()
	e.Execute(nil, lsp.CmdRestart)
	e.Status(mark, lsp.Ready)
	e.Leave()
}

// editorAt is editor with another address for the daemon.
func (d *desk) editorAt(listen string) (*companiontest.Editor, *exec.Cmd) {
	d.write("listen = \"" + listen + "\"\n")
	env := d.env()
	c := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, "korproxy"), "lsp")
	c.Env = env[:len(env)-1]
	in, err := c.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { in.Close(); _ = c.Wait() })
	return companiontest.Attach(d.t, out, in), c
}

// An editor that starts the daemon on a broken configuration gets one, with the
// mistake shown where it is.
func TestABrokenConfigurationIsShownByTheEditorThatStartsTheDaemon(t *testing.T) {
	d := newDesk(t, "strct = true\n")
	e, _ := d.editor("korproxy")
	e.Initialize(companiontest.NeoVim())
	s := e.Status(0, lsp.Degraded)
	if s.Severity != lsp.Error && !strings.Contains(s.Text, "safe mode") {
		t.Errorf("the status is %+v", s)
	}
	if !strings.Contains(s.Hover, "KP-CONFIG-003") {
		t.Errorf("the status says nothing of the mistake: %s", s.Hover)
	}
	d.write("strict = true\n")
	e.Status(e.Mark(), lsp.Ready)
	e.Leave()
}

// A newer program takes over from an older daemon, and no request is cut, refused
// or lost: those under way end where they began.
func TestANewerDaemonTakesOver(t *testing.T) {
	const callers = 8
	p := newDripProvider(t)
	d := newDesk(t, "[local]\nrequire_key = false\n[providers.drip]\ndialect = \"openai-chat\"\nbase_url = \""+p+"/v1\"\n")
	old, _ := d.editor("korproxy-old")
	old.Initialize(companiontest.VSCode())
	old.Status(0, lsp.Ready)
	before := d.status()
	if before.Version != "0.0.1" {
		t.Fatalf("the version is %s", before.Version)
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	var done, failed atomic.Int64
	for range callers {
		load.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := dripOnce(t.Context(), client, before.Address); err != nil {
					failed.Add(1)
					t.Errorf("a request failed: %v", err)
					return
				}
				done.Add(1)
			}
		})
	}
	for done.Load() < callers {
		runtime.Gosched()
	}
	mark := old.Mark()
	fresh, _ := d.editor("korproxy-new")
	fresh.Initialize(companiontest.NeoVim())
	fresh.Status(0, lsp.Ready)
	after := d.status()
	if after.Version != "99.0.0" || after.PID == before.PID || after.Address != before.Address {
		t.Errorf("after the hand-over there is %s, pid %d, at %s; before it was pid %d at %s", after.Version, after.PID, after.Address, before.PID, before.Address)
	}
	old.Status(mark, lsp.Ready) // its older forwarder goes on with the newer daemon
	for n := done.Load(); done.Load() < n+2*callers && failed.Load() == 0; {
		runtime.Gosched()
	}
	close(stop)
	load.Wait()
	t.Logf("%d requests", done.Load())
	// An older program leaves the newer daemon alone.
	again, _ := d.editor("korproxy-old")
	again.Initialize(companiontest.NeoVim())
	again.Status(0, lsp.Ready)
	if now := d.status(); now.PID != after.PID {
		t.Errorf("an older program has started %s", now.Version)
	}
	for _, e := range []*companiontest.Editor{old, fresh, again} {
		e.Leave()
	}
	for limit := time.Now().Add(patience); syscall.Kill(before.PID, 0) == nil; {
		if time.Now().After(limit) {
			t.Fatal("the older daemon does not end")
		}
		runtime.Gosched()
	}
}

const dripChunks = 10

// newDripProvider streams an answer in parts that take a while.
func newDripProvider(t *testing.T) string {
	t.Helper()
	return serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/models") {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"m","object":"model"}]}`)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range dripChunks {
			fmt.Fprint(w, `data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}`+"\n\n")
			_ = http.NewResponseController(w).Flush()
			<-tick.C
		}
		fmt.Fprint(w, `data: {"id":"1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\ndata: [DONE]\n\n")
	}))
}

// dripOnce makes one request and counts the parts of its answer.
func dripOnce(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/v1/chat/completions", strings.NewReader(`{"model":"drip/m","stream":true,"messages":[{"role":"user","content":"x"}]}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	parts := 0
	in := bufio.NewScanner(resp.Body)
	last := ""
	for in.Scan() {
		if strings.Contains(in.Text(), `"content":"a"`) {
			parts++
		}
		if in.Text() != "" {
			last = in.Text()
		}
	}
	if err := in.Err(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || parts != dripChunks || last != "data: [DONE]" {
		return fmt.Errorf("%s with %d parts, the last %q", resp.Status, parts, last)
	}
	return nil
}

// A failure of a tool's request is in the editor's status at once, with a message
// when a person must act; it goes with the next good answer.
func TestAFailingRequestIsShown(t *testing.T) {
	var refuse atomic.Bool
	refuse.Store(true)
	url := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/models"):
			fmt.Fprint(w, `{"object":"list","data":[{"id":"m","object":"model"}]}`)
		case refuse.Load():
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`)
		default:
			fmt.Fprint(w, `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
		}
	}))
	d := newDesk(t, "[local]\nrequire_key = false\n[providers.mine]\ndialect = \"openai-chat\"\nbase_url = \""+url+"/v1\"\n[[accounts]]\nprovider = \"mine\"\nname = \"work\"\napi_key_env = \"HOME\"\n")
	e, _ := d.editor("korproxy")
	e.Initialize(companiontest.VSCode(), "/p/shop")
	e.Status(0, lsp.Ready)
	ask := func(folder string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.status().Address+"/v1/chat/completions", strings.NewReader(`{"model":"mine/m","messages":[{"role":"user","content":"x"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Korproxy-Workspace", folder)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	mark := e.Mark()
	ask("/p/shop")
	s := e.Status(mark, lsp.SignedOut, lsp.Degraded)
	if !strings.Contains(s.Hover, "KP-ACCT-001") {
		t.Errorf("the status is %+v", s)
	}
	m := e.AwaitFrom(mark, "a message", func(m companiontest.Message) bool { return m.Method == "window/showMessageRequest" })
	for _, want := range []string{"KP-ACCT-001", "Sign In", "Open Log"} {
		if !strings.Contains(string(m.Params), want) {
			t.Errorf("the message has no %s: %s", want, m.Params)
		}
	}
	var r lsp.DoctorResult
	e.Execute(&r, lsp.CmdDoctor, map[string]any{"show": false})
	if r.OK {
		t.Error("doctor finds nothing while requests fail")
	}
	ask("/p/shop")
	refuse.Store(false)
	// The key is looked at again when it is tested.
	var out []any
	_ = e.Try("workspace/executeCommand", map[string]any{"command": lsp.CmdTest, "arguments": []any{"mine/work"}}, &out)
	ask("/p/shop")
	e.AwaitFrom(mark, "that all is well", func(m companiontest.Message) bool {
		var s lsp.StatusParams
		return m.Method == lsp.MethodStatus && json.Unmarshal(m.Params, &s) == nil && s.State == lsp.Ready
	})
	if n := e.Count(mark, "window/showMessageRequest"); n != 1 {
		t.Errorf("%d messages were shown", n)
	}
	e.Leave()
}

// What editors do reaches the daemon, and is seen by the others.
func TestSwitchingInOneEditorIsSeenInAnother(t *testing.T) {
	d := newDesk(t, "[profiles.work]\ntarget = \"sandbox/sandbox\"\n")
	one, _ := d.editor("korproxy")
	two, _ := d.editor("korproxy")
	for _, e := range []*companiontest.Editor{one, two} {
		e.Initialize(companiontest.VSCode())
		e.Status(0, lsp.Ready)
	}
	mark := two.Mark()
	one.Execute(nil, lsp.CmdProfile, "work")
	two.AwaitFrom(mark, "the news", func(m companiontest.Message) bool { return m.Method == lsp.MethodChanged })
	var menu lsp.Menu
	two.Call(lsp.MethodMenu, lsp.MenuParams{ID: "profiles"}, &menu)
	if !menu.Items[1].Checked {
		t.Errorf("the profile is not in use: %+v", menu.Items)
	}
	if err := one.Try("workspace/executeCommand", map[string]any{"command": lsp.CmdProfile, "arguments": []any{"nosuch"}}, nil); err == nil || !strings.Contains(err.Error(), "KP-ROUTE-006") {
		t.Errorf("an unknown profile: %v", err)
	}
	mark = two.Mark()
	one.Execute(nil, lsp.CmdSafeMode)
	two.Status(mark, lsp.Degraded)
	one.Execute(nil, lsp.CmdSafeMode, false)
	two.Status(mark, lsp.Ready)
	one.Leave()
	two.Leave()
}

// A daemon that an editor started leaves when nobody uses it.
func TestADaemonNobodyUsesLeaves(t *testing.T) {
	d := newDesk(t, "[companion]\nidle_exit = \"1ms\"\n")
	e, c := d.editor("korproxy")
	e.Initialize(companiontest.NeoVim())
	e.Status(0, lsp.Ready)
	pid := d.status().PID
	e.Leave()
	if err := c.Wait(); err != nil {
		t.Errorf("after shutdown and exit: %v", err)
	}
	for limit := time.Now().Add(patience); !lockFree(d.paths) || syscall.Kill(pid, 0) == nil; {
		if time.Now().After(limit) {
			t.Fatal("the daemon stays")
		}
		runtime.Gosched()
	}
}

// Editors attach to the socket, which is the user's alone. The port has no such
// address, whatever key is shown.
func TestThePortHasNoEditors(t *testing.T) {
	d := startDaemon(t, "")
	for _, path := range []string{"/lsp", "/handover", "/korproxy/v1/lsp", "/korproxy/v1/handover"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.app.paths()
		if err != nil {
			t.Fatal(err)
		}
		key, err := d.app.localKey(t.Context(), p, httpd.KeyWanted{Admin: true})
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key.Key)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", httpd.UpgradeHandover)
		resp, err := d.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s answers %s", path, resp.Status)
		}
	}
}

// What the user stops stays stopped: no editor starts it again until it is told
// to, and all are back when the user starts it.
func TestAStoppedDaemonStaysStopped(t *testing.T) {
	d := newDesk(t, "")
	one, _ := d.editor("korproxy")
	two, _ := d.editor("korproxy")
	for _, e := range []*companiontest.Editor{one, two} {
		e.Initialize(companiontest.VSCode())
		e.Status(0, lsp.Ready)
	}
	first := d.status().PID
	d.run("down")
	for _, e := range []*companiontest.Editor{one, two} {
		s := e.Status(0, lsp.Stopped)
		if s.Icon != lsp.IconOff {
			t.Errorf("the status is %+v", s)
		}
	}
	var menu lsp.Menu
	one.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, &menu)
	if menu.Title != "KorProxy is stopped" || menu.Items[0].Command.Command != lsp.CmdRestart {
		t.Errorf("the menu is %+v", menu)
	}
	if !lockFree(d.paths) {
		t.Error("a daemon runs")
	}
	mark, mark2 := one.Mark(), two.Mark()
	d.run("up")
	one.Status(mark, lsp.Ready)
	two.Status(mark2, lsp.Ready)
	d.run("down")
	one.Status(mark, lsp.Stopped)
	two.Status(mark2, lsp.Stopped)
	mark, mark2 = one.Mark(), two.Mark()
	one.Execute(nil, lsp.CmdRestart)
	one.Status(mark, lsp.Ready)
	two.Status(mark2, lsp.Ready)
	// A restart by the menu is another daemon, and no editor is told that it failed.
	second := d.status().PID
	mark, mark2 = one.Mark(), two.Mark()
	one.Execute(nil, lsp.CmdRestart)
	one.Status(mark, lsp.Ready)
	two.Status(mark2, lsp.Ready)
	if now := d.status().PID; now == second || now == first {
		t.Errorf("the daemon is still %d", now)
	}
	if n := one.Count(mark, "window/showMessage"); n != 0 {
		t.Errorf("%d messages were shown", n)
	}
	one.Leave()
	two.Leave()
}

// run runs a command of the CLI.
func (d *desk) run(args ...string) {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), filepath.Join(d.bin, "korproxy"), args...)
	c.Env = d.env()
	if out, err := c.CombinedOutput(); err != nil {
		d.t.Fatalf("korproxy %v: %v\n%s", args, err, out)
	}
}

// A daemon that was started to stay stays when an editor has it restarted, or
// brings it back; 'korproxy down' ends that.
func TestARestartedDaemonStays(t *testing.T) {
	d := newDesk(t, "[companion]\nidle_exit = \"1ms\"\n")
	d.run("up")
	for _, end := range []func(e *companiontest.Editor){
		func(e *companiontest.Editor) { e.Execute(nil, lsp.CmdRestart) },
		func(*companiontest.Editor) {
			if err := syscall.Kill(d.status().PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		},
	} {
		e, _ := d.editor("korproxy")
		e.Initialize(companiontest.NeoVim())
		e.Status(0, lsp.Ready)
		before, mark := d.status().PID, e.Mark()
		end(e)
		e.Status(mark, lsp.Ready)
		e.Leave()
		pid := d.status().PID
		if pid == before {
			t.Error("it was not restarted")
		}
		if st := d.runtime(); !st.Stay {
			t.Errorf("it does not stay: %+v", st)
		}
	}
	d.run("down")
	if st := d.runtime(); st.Stay {
		t.Errorf("it was stopped, and stays: %+v", st)
	}
}

// runtime is what the daemon keeps of what was switched.
func (d *desk) runtime() choices {
	d.t.Helper()
	b, err := os.ReadFile(runtimeFile(d.paths))
	if err != nil {
		d.t.Fatal(err)
	}
	var c choices
	if err := json.Unmarshal(b, &c); err != nil {
		d.t.Fatal(err)
	}
	return c
}
