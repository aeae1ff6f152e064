package companion_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/companiontest"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeProxy is a proxy with one profile more than it needs.
type fakeProxy struct {
	mu      sync.Mutex
	profile string
	block   chan struct{} // what Target and Chat wait for, nil for nothing
	begun   chan struct{}
	asked   atomic.Int64
}

func newProxy() *fakeProxy { return &fakeProxy{profile: "default", begun: make(chan struct{}, 100)} }

func (p *fakeProxy) View(context.Context) *companion.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &companion.View{
		Version: "1.2.3", Address: "http://127.0.0.1:1337", Profile: p.profile, Model: "openai/gpt", ConfigFile: "/c/korproxy.toml",
		Profiles:  []companion.Profile{{Name: "default"}, {Name: "work"}},
		Accounts:  []companion.Account{{Provider: "openai", Name: "work", State: "available"}},
		Models:    []companion.Model{{ID: "openai/gpt", Provider: "openai", In: -1, Out: -1}},
		Providers: []companion.Provider{{ID: "openai", Name: "OpenAI", Ways: []companion.Way{{ID: "key", Title: "API key", Key: true}}}},
	}
}

func (p *fakeProxy) UseProfile(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.profile = name
	return nil
}
func (p *fakeProxy) UseModel(context.Context, string) error           { return nil }
func (p *fakeProxy) UseAccount(context.Context, string, string) error { return nil }
func (p *fakeProxy) SetSafeMode(context.Context, bool) error          { return nil }
func (p *fakeProxy) Target(context.Context, string, string) string    { return "" }

func (p *fakeProxy) Chat(ctx context.Context, c *lsp.ChatParams, _ string, emit func([]lsp.ChatPart) error) (*lsp.ChatResult, error) {
	p.begun <- struct{}{}
	if p.block != nil {
		select {
		case <-p.block:
		case <-ctx.Done():
			p.asked.Add(1)
			return nil, ctx.Err()
		}
	}
	if c.Model == "panic" {
		panic("on purpose")
	}
	return &lsp.ChatResult{Model: c.Model, Stop: "stop"}, emit([]lsp.ChatPart{{Type: "text", Text: "hi"}})
}

func (p *fakeProxy) Within(_ context.Context, folder string) (string, string, bool) {
	return "own", "openai/own", folder == "/p/own"
}

func (p *fakeProxy) CountTokens(_ context.Context, _, text string) (int64, error) {
	return int64(len(text)), nil
}

func (p *fakeProxy) Test(ctx context.Context, _ string) ([]companion.TestRow, error) {
	if p.block != nil {
		select {
		case <-p.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []companion.TestRow{{Account: "openai/work", OK: true, Took: 312e6}}, nil
}

func (p *fakeProxy) Doctor(context.Context, bool) (*lsp.DoctorResult, error) {
	return &lsp.DoctorResult{OK: true}, nil
}
func (p *fakeProxy) Report(context.Context, ...string) (string, error) { return "a report", nil }
func (p *fakeProxy) SignIn(context.Context, string, string, companion.SignInUI) error {
	return fault.New(fault.SignInCanceled, "no")
}
func (p *fakeProxy) Dismiss(string, string) {}
func (p *fakeProxy) Restart()               {}

// office is a daemon and the forwarders at it, in one process.
type office struct {
	t     *testing.T
	proxy *fakeProxy

	mu    sync.Mutex
	host  *companion.Host
	conns []net.Conn
	down  bool
	given net.Conn // what the next dial gives
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, proxy: newProxy()}
	o.start()
	t.Cleanup(func() { o.host.Close() })
	return o
}

func (o *office) start() {
	o.host = companion.NewHost(companion.Options{
		Proxy: o.proxy, Languages: []companion.Language{wordLanguage{}}, Health: new(health.Tracker), StateDir: o.t.TempDir(), Version: "1.2.3", Log: slog.New(slog.DiscardHandler),
	})
}

// dial attaches a forwarder.
func (o *office) dial(context.Context) (io.ReadWriteCloser, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.given; c != nil {
		o.given = nil
		return c, nil
	}
	if o.down {
		return nil, errors.New("no daemon on purpose")
	}
	ours, theirs := net.Pipe()
	o.conns = append(o.conns, ours)
	host := o.host
	go func() { _ = host.Serve(context.Background(), theirs) }() // ends with the pipe
	return ours, nil
}

// crash cuts all connections, as a daemon that dies does.
func (o *office) crash() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.conns {
		c.Close()
	}
	o.conns = nil
}

// editor is an editor at a forwarder; err gets what the forwarder ended with.
func (o *office) editor() (e *companiontest.Editor, ended chan error) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	f := &companion.Forwarder{
		In: inR, Out: outW, Dial: o.dial, Tail: func() string { return "one\ntwo\nthree\nfour" }, LogFile: "/l/korproxy.log", Version: "1.2.3",
	}
	ended = make(chan error, 1)
	go func() {
		ended <- f.Run(context.Background())
		outW.Close()
		inR.Close()
	}()
	e = companiontest.Attach(o.t, outR, inW)
	o.t.Cleanup(func() { inW.Close(); e.Ended() })
	return e, ended
}

func TestTheOrderOfAConversation(t *testing.T) {
	o := newOffice(t)
	e, ended := o.editor()
	code := func(err error) int {
		t.Helper()
		wire := new(companiontest.Error)
		if !errors.As(err, &wire) {
			t.Fatalf("no error, but %v", err)
		}
		return wire.Code
	}
	if got := code(e.Try("textDocument/hover", nil, nil)); got != -32002 {
		t.Errorf("a request before initialize: %d", got)
	}
	e.Notify("textDocument/didOpen", nil) // is dropped
	e.Initialize(companiontest.VSCode())
	if got := code(e.Try("initialize", map[string]any{}, nil)); got != -32600 {
		t.Errorf("a second initialize: %d", got)
	}
	if got := code(e.Try("korproxy/nosuch", nil, nil)); got != -32601 {
		t.Errorf("an unknown method: %d", got)
	}
	if got := code(e.Try("workspace/executeCommand", map[string]any{"command": "korproxy.nosuch"}, nil)); got != -32602 {
		t.Errorf("an unknown command: %d", got)
	}
	if got := code(e.Try("korproxy/menu", "no object", nil)); got != -32602 {
		t.Errorf("bad parameters: %d", got)
	}
	e.Notify("$/nosuch", nil)
	e.Notify("korproxy/nosuch", nil)
	e.Call("shutdown", nil, nil)
	if got := code(e.Try("korproxy/menu", map[string]any{"id": "main"}, nil)); got != -32600 {
		t.Errorf("a request after shutdown: %d", got)
	}
	e.Notify("exit", nil)
	if err := <-ended; err != nil {
		t.Errorf("the forwarder ended with %v", err)
	}
}

func TestAnExitWithoutShutdownIsAnError(t *testing.T) {
	e, ended := newOffice(t).editor()
	e.Initialize(companiontest.Plain())
	e.Notify("exit", nil)
	if err := <-ended; !errors.Is(err, companion.ErrExit) {
		t.Errorf("the forwarder ended with %v", err)
	}
}

func TestWhatIsNoMessageIsAnswered(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	raw := func(content string) {
		var b strings.Builder
		if err := lsp.WriteMessage(&b, []byte(content)); err != nil {
			t.Fatal(err)
		}
		e.Raw(b.String())
	}
	for content, want := range map[string]int{
		`{"jsonrpc":"2.0","id":`: -32700,
		`not json`:               -32700,
		`[]`:                     -32600,
		`{}`:                     -32600,
		`{"jsonrpc":"1.0","id":1,"method":"initialize"}`:              -32600,
		`{"jsonrpc":"2.0","params":{}}`:                               -32600,
		`"a string"`:                                                  -32600,
		`{"jsonrpc":"2.0","id":5,"method":"initialize","params":[1]}`: -32602,
	} {
		mark := e.Mark()
		raw(content)
		m := e.AwaitFrom(mark, "an error for "+content, func(m companiontest.Message) bool { return m.Error != nil })
		if m.Error.Code != want {
			t.Errorf("%s is answered with %d, want %d", content, m.Error.Code, want)
		}
	}
	e.Initialize(companiontest.VSCode())
	raw(`{"jsonrpc":"2.0","id":77777,"result":null}`) // an answer to nothing
	e.Status(0, lsp.Ready)
	e.Leave()
}

func TestHugeAndSplitMessages(t *testing.T) {
	e, _ := newOffice(t).editor()
	e.Initialize(companiontest.NeoVim())
	var n int64
	text := strings.Repeat("x", 8<<20)
	e.Execute(&n, lsp.CmdCount, "m", text)
	if n != int64(len(text)) {
		t.Errorf("%d bytes came", n)
	}
	var b strings.Builder
	if err := lsp.WriteMessage(&b, []byte(`{"jsonrpc":"2.0","id":"s-1","method":"korproxy/menu","params":{"id":"profiles"}}`)); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.String() {
		e.Raw(string(c))
	}
	e.Reply(`"s-1"`)
	e.Leave()
}

// Ids are numbers of any size and strings; each request can be cancelled by its
// own, before and after it is answered.
func TestCancel(t *testing.T) {
	o := newOffice(t)
	o.proxy.block = make(chan struct{})
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	for _, id := range []any{1001, "s1", int64(1) << 40, -7} {
		raw, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		e.Send(map[string]any{"id": id, "method": lsp.MethodChat, "params": lsp.ChatParams{Model: "m"}})
		<-o.proxy.begun
		e.Notify("$/cancelRequest", map[string]any{"id": id})
		if m := e.Reply(string(raw)); m.Error == nil || m.Error.Code != lsp.CodeRequestCancelled {
			t.Errorf("the answer to %v is %+v", id, m)
		}
		e.Notify("$/cancelRequest", map[string]any{"id": id})
	}
	if n := o.proxy.asked.Load(); n != 4 {
		t.Errorf("%d of 4 requests were cancelled", n)
	}
	// One that takes long holds up no other.
	id := e.Request(lsp.MethodChat, lsp.ChatParams{Model: "m"})
	<-o.proxy.begun
	var m lsp.Menu
	e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, &m)
	close(o.proxy.block)
	if m := e.Reply(id); m.Error != nil {
		t.Errorf("the slow one: %v", m.Error)
	}
	e.Leave()
}

func TestABugEndsOneRequest(t *testing.T) {
	e, _ := newOffice(t).editor()
	e.Initialize(companiontest.VSCode())
	err := e.Try(lsp.MethodChat, lsp.ChatParams{Model: "panic"}, nil)
	if err == nil || !strings.Contains(err.Error(), "KP-INTERNAL-002") {
		t.Errorf("the answer is %v", err)
	}
	e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, nil)
	e.Leave()
}

// Documents, settings and folders are told to the next daemon as they are now.
func TestReplay(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	e.Initialize(companiontest.NeoVim(), "/p/one")
	e.Status(0, lsp.Ready)
	seen := make(chan []string, 1)
	mark := e.Mark()
	e.Open("file:///a.toml", "a = 1\n")
	e.Open("file:///b.toml", "b = 1\n")
	e.Notify("textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": "file:///a.toml", "version": 7},
		"contentChanges": []any{map[string]any{
			"range": map[string]any{"start": map[string]any{"line": 0, "character": 4}, "end": map[string]any{"line": 0, "character": 5}}, "text": "\"ä\"",
		}},
	})
	e.Notify("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": "file:///b.toml"}})
	e.Notify("workspace/didChangeConfiguration", map[string]any{"settings": map[string]any{"x": 1}})
	e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{map[string]any{"uri": "file:///p/two"}}, "removed": []any{}}})
	e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, nil) // all of it has been taken

	// The next daemon is a pipe that is read here.
	o.mu.Lock()
	o.down = true
	o.mu.Unlock()
	o.crash()
	e.Status(mark, lsp.Restarting)
	ours, theirs := net.Pipe()
	go func() {
		r := lsp.NewReader(theirs)
		var got []string
		for len(got) < 5 {
			b, err := r.Next()
			if err != nil {
				break
			}
			var m struct {
				Method string
				Params json.RawMessage
			}
			_ = json.Unmarshal(b, &m) // what is no message has no method
			got = append(got, m.Method+" "+string(m.Params))
		}
		seen <- got
		_, _ = io.Copy(io.Discard, theirs) // until it is closed
	}()
	o.mu.Lock()
	o.conns = append(o.conns, ours)
	o.mu.Unlock()
	o.hand(ours)
	got := <-seen
	want := []string{
		`initialize `, `initialized `, `workspace/didChangeWorkspaceFolders {"event":{"added":[{"uri":"file:///p/two"}]`,
		`workspace/didChangeConfiguration {"settings":{"x":1}}`, `textDocument/didOpen {"textDocument":{"languageId":"toml","text":"a = \"ä\"\n","uri":"file:///a.toml","version":7}}`,
	}
	for i, w := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], w) {
			t.Fatalf("message %d is not %s\n%s", i, w, strings.Join(got, "\n"))
		}
	}
	e.Leave()
	theirs.Close()
}

// hand makes the next dial give a connection.
func (o *office) hand(c net.Conn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.given = c
}
