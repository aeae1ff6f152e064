package companion_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/companiontest"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/health"
	"github.com/korproxy/korproxy/proxy"
)

// wordLanguage finds the word "bad" in .toml documents.
type wordLanguage struct{}

func (wordLanguage) Owns(uri string) bool { return strings.HasSuffix(uri, ".toml") }

func (wordLanguage) Find(doc *lsp.Text, key string) (companion.Span, bool) {
	at := strings.Index(doc.Content, key)
	return companion.Span{Start: at, End: at + len(key)}, at >= 0
}

func (w wordLanguage) Diagnostics(_ context.Context, doc *lsp.Text, v *companion.View) []companion.Diagnostic {
	if strings.HasSuffix(doc.URI, "panic.toml") {
		panic("on purpose")
	}
	var out []companion.Diagnostic
	if s, ok := w.Find(doc, "bad"); ok {
		out = append(out, companion.Diagnostic{
			Span: s, Severity: health.Error, Code: "KP-CONFIG-003", Message: "it is bad",
			Fixes: []companion.Fix{{Title: "Make it good", Preferred: true, Edits: []companion.Edit{{Span: s, Text: "good"}}}},
		})
	}
	if v.Profile == "work" {
		out = append(out, companion.Diagnostic{Severity: health.Info, Message: "at work", Unused: true})
	}
	return out
}

func (w wordLanguage) Hover(_ context.Context, doc *lsp.Text, at int, _ *companion.View) *companion.Hover {
	s, ok := w.Find(doc, "bad")
	if !ok || at < s.Start || at > s.End {
		return nil
	}
	return &companion.Hover{Span: s, Markdown: "**bad**"}
}

func (w wordLanguage) Completion(_ context.Context, doc *lsp.Text, at int, _ *companion.View) []companion.Completion {
	return []companion.Completion{{Label: "good", Kind: companion.KindValue, Edit: companion.Edit{Span: companion.Span{Start: at, End: at}, Text: "good"}}}
}

func (wordLanguage) Actions(context.Context, *lsp.Text, companion.Span, *companion.View) []companion.Fix {
	return []companion.Fix{{Title: "Test", Command: &lsp.Command{Title: "Test", Command: lsp.CmdTest, Arguments: []any{"openai/work"}}}}
}

func (wordLanguage) Lenses(context.Context, *lsp.Text, *companion.View) []companion.Lens {
	return []companion.Lens{{Command: lsp.Command{Title: "Test", Command: lsp.CmdTest, Arguments: []any{"openai/work"}}}}
}

func (w wordLanguage) Hints(_ context.Context, doc *lsp.Text, _ companion.Span, _ *companion.View) []companion.Hint {
	return []companion.Hint{{At: len(doc.Content), Label: "the end"}}
}

func (wordLanguage) Links(context.Context, *lsp.Text, *companion.View) []companion.Link {
	return []companion.Link{{Span: companion.Span{Start: 0, End: 1}, Target: "https://example.com"}}
}

func (w wordLanguage) Definition(_ context.Context, doc *lsp.Text, _ int, _ *companion.View) []companion.Place {
	s, _ := w.Find(doc, "bad")
	return []companion.Place{{Span: s}, {URI: "file:///nowhere/at/all.toml"}}
}

const text = "a = \"😀\" # bad\n" // the word begins at byte 13, at UTF-16 unit 11

func at(line, character int) map[string]any {
	return map[string]any{"line": line, "character": character}
}

func about(uri string, more ...any) map[string]any {
	p := map[string]any{"textDocument": map[string]any{"uri": uri}}
	for i := 0; i+1 < len(more); i += 2 {
		p[more[i].(string)] = more[i+1]
	}
	return p
}

type place struct{ Line, Character int }

type span struct{ Start, End place }

// Positions are in the encoding of each editor, in every answer.
func TestPositionsInBothEncodings(t *testing.T) {
	for _, c := range []struct {
		kind       companiontest.Kind
		start, end int
	}{{companiontest.VSCode(), 11, 14}, {companiontest.NeoVim(), 13, 16}} {
		t.Run(c.kind.Name, func(t *testing.T) {
			e, _ := newOffice(t).editor()
			e.Initialize(c.kind)
			e.Open("file:///x.toml", text)
			want := span{place{0, c.start}, place{0, c.end}}
			var hover struct{ Range span }
			e.Call("textDocument/hover", about("file:///x.toml", "position", at(0, c.start+1)), &hover)
			var actions []struct {
				Title string
				Edit  struct {
					Changes map[string][]struct{ Range span }
				}
			}
			e.Call("textDocument/codeAction", about("file:///x.toml", "range", map[string]any{"start": at(0, c.start), "end": at(0, c.start)}, "context", map[string]any{"diagnostics": []any{}}), &actions)
			var places []struct{ Range span }
			e.Call("textDocument/definition", about("file:///x.toml", "position", at(0, c.start)), &places)
			if len(actions) != 2 || len(places) != 1 {
				t.Fatalf("actions %+v, places %+v", actions, places)
			}
			if hover.Range != want || places[0].Range != want || actions[0].Edit.Changes["file:///x.toml"][0].Range != want {
				t.Errorf("hover %v, definition %v, action %v; want %v", hover.Range, places[0].Range, actions[0].Edit.Changes, want)
			}
			var lenses, hints, links, items []any
			e.Call("textDocument/codeLens", about("file:///x.toml"), &lenses)
			e.Call("textDocument/inlayHint", about("file:///x.toml", "range", map[string]any{"start": at(0, 0), "end": at(1, 0)}), &hints)
			e.Call("textDocument/documentLink", about("file:///x.toml"), &links)
			e.Call("textDocument/completion", about("file:///x.toml", "position", at(0, 0)), &items)
			if len(lenses)*len(hints)*len(links)*len(items) != 1 {
				t.Errorf("lenses %v, hints %v, links %v, items %v", lenses, hints, links, items)
			}
			e.Leave()
		})
	}
}

func TestDocumentsNobodyKnowsHaveNothing(t *testing.T) {
	e, _ := newOffice(t).editor()
	e.Initialize(companiontest.VSCode())
	for _, uri := range []string{"untitled:Untitled-1", "file:///x.go", "git:/x.toml?{}", "file:///never-opened.toml"} {
		if !strings.Contains(uri, "never") {
			e.Open(uri, "bad")
		}
		for _, method := range []string{"hover", "completion", "definition", "codeAction", "codeLens", "documentLink", "inlayHint", "diagnostic"} {
			r := map[string]any{"start": at(0, 0), "end": at(9, 9)}
			p := about(uri, "position", at(5, 5))
			if method == "codeAction" || method == "inlayHint" {
				p = about(uri, "range", r)
			}
			e.Call("textDocument/"+method, p, nil)
		}
	}
	e.Leave()
}

// Editors that pull are told to ask again when the daemon's state changes what a
// document shows; to others it is pushed, once.
func TestDiagnosticsPulledAndPushed(t *testing.T) {
	o := newOffice(t)
	pull, _ := o.editor()
	push, _ := o.editor()
	pull.Initialize(companiontest.VSCode())
	push.Initialize(companiontest.NeoVim())
	for _, e := range []*companiontest.Editor{pull, push} {
		e.Status(0, lsp.Ready)
		e.Open("file:///x.toml", text)
	}
	one := func(list []companiontest.Diagnostic) bool { return len(list) == 1 && list[0].Code == "KP-CONFIG-003" }
	push.Diagnostics(0, "file:///x.toml", one)
	var report struct {
		Kind  string
		Items []companiontest.Diagnostic
	}
	pull.Call(lsp.MethodDiagnostic, about("file:///x.toml"), &report)
	if report.Kind != "full" || !one(report.Items) {
		t.Errorf("pulled: %+v", report)
	}
	mark, mark2 := pull.Mark(), push.Mark()
	pull.Execute(nil, lsp.CmdProfile, "work")
	pull.AwaitFrom(mark, "a wish to be asked", func(m companiontest.Message) bool { return m.Method == lsp.MethodDiagnosticRefresh })
	push.Diagnostics(mark2, "file:///x.toml", func(list []companiontest.Diagnostic) bool { return len(list) == 2 })
	pull.Call(lsp.MethodDiagnostic, about("file:///x.toml"), &report)
	if len(report.Items) != 2 {
		t.Errorf("pulled after the change: %+v", report)
	}
	mark2 = push.Mark()
	push.Notify("textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": "file:///x.toml", "version": 2}, "contentChanges": []any{map[string]any{"text": "fine"}},
	})
	push.Diagnostics(mark2, "file:///x.toml", func(list []companiontest.Diagnostic) bool { return len(list) == 1 })
	mark2 = push.Mark()
	push.Notify("textDocument/didClose", about("file:///x.toml"))
	push.Diagnostics(mark2, "file:///x.toml", func(list []companiontest.Diagnostic) bool { return len(list) == 0 })
	if n := pull.Count(0, "textDocument/publishDiagnostics"); n != 0 {
		t.Errorf("an editor that pulls was pushed %d times", n)
	}
	pull.Leave()
	push.Leave()
}

// An editor without a plugin reaches everything by messages.
func TestMenusByMessages(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	e.Answer = func(method string, params json.RawMessage) any {
		var p struct {
			Message string
			Actions []struct{ Title string }
		}
		if method != "window/showMessageRequest" || json.Unmarshal(params, &p) != nil {
			return nil
		}
		want := map[string]string{"KorProxy": "Switch profile", "Switch profile": "work"}[p.Message]
		for _, a := range p.Actions {
			if strings.HasPrefix(a.Title, want) {
				return a
			}
		}
		t.Errorf("%q offers no %q: %+v", p.Message, want, p.Actions)
		return nil
	}
	e.Initialize(companiontest.Plain())
	e.Execute(nil, lsp.CmdMenu)
	var menu lsp.Menu
	for limit := time.Now().Add(time.Minute); len(menu.Items) < 2 || !menu.Items[1].Checked; {
		if time.Now().After(limit) {
			t.Fatalf("the profile was not switched: %+v", menu)
		}
		e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "profiles"}, &menu)
	}
	e.Leave()
}

// An editor that shows menus itself is told which to open.
func TestAChoiceIsAskedByTheEditorsMenu(t *testing.T) {
	e, _ := newOffice(t).editor()
	e.Initialize(companiontest.VSCode())
	for command, menu := range map[string]string{lsp.CmdProfile: "profiles", lsp.CmdModel: "models", lsp.CmdAccount: "accounts", lsp.CmdSignIn: "signIn"} {
		var c lsp.Command
		e.Execute(&c, command)
		if c.Command != lsp.CmdMenu || len(c.Arguments) != 1 || c.Arguments[0] != menu {
			t.Errorf("%s without a choice answers %+v", command, c)
		}
		var m lsp.Menu
		e.Call(lsp.MethodMenu, lsp.MenuParams{ID: menu}, &m)
		if m.Title == "" || m.Items == nil {
			t.Errorf("the menu %s is %+v", menu, m)
		}
	}
	if err := e.Try(lsp.MethodMenu, lsp.MenuParams{ID: "nosuch"}, nil); err == nil {
		t.Error("a menu that there is not")
	}
	e.Leave()
}

// A long text is a page of its own, that others cannot read.
func TestReportsAreOpened(t *testing.T) {
	e, _ := newOffice(t).editor()
	opened := make(chan string, 10)
	e.Answer = func(method string, params json.RawMessage) any {
		var p struct{ URI string }
		if method == "window/showDocument" && json.Unmarshal(params, &p) == nil {
			opened <- p.URI
			return map[string]any{"success": true}
		}
		return nil
	}
	e.Initialize(companiontest.NeoVim())
	for _, command := range []string{lsp.CmdUsage, lsp.CmdLogs, lsp.CmdDoctor} {
		e.Execute(nil, command)
		path, ok := lsp.FilePath(<-opened)
		info, err := os.Stat(path)
		if !ok || err != nil || info.Mode().Perm() != 0o600 || filepath.Base(filepath.Dir(path)) != "reports" {
			t.Errorf("%s opened %s: %v %v", command, path, info, err)
		}
	}
	e.Leave()
}

func TestATestShowsInTheLens(t *testing.T) {
	e, _ := newOffice(t).editor()
	e.Initialize(companiontest.NeoVim())
	e.Open("file:///x.toml", text)
	e.Execute(nil, lsp.CmdTest, "openai/work")
	e.Await("a message", func(m companiontest.Message) bool {
		return m.Method == "window/showMessage" && strings.Contains(string(m.Params), "openai/work works (312 ms)")
	})
	var lenses []struct{ Command lsp.Command }
	e.Call("textDocument/codeLens", about("file:///x.toml"), &lenses)
	if lenses[0].Command.Title != "Test · 312 ms" {
		t.Errorf("the lens is %q", lenses[0].Command.Title)
	}
	e.Leave()
}

// record is a request of a tool that came to something.
func record(outcome string, code fault.Code, folder string) *proxy.Record {
	return &proxy.Record{Time: time.Now(), Tool: "claude-code", Provider: "openai", Account: "work", Model: "gpt", Outcome: outcome, Code: code, Workspace: folder}
}

// A failing request is shown in the editors whose folder it came from. What a
// person must mend is said once, however often it happens; what was wrong before
// an editor came is not said; and a good answer ends it.
func TestFailingRequests(t *testing.T) {
	o := newOffice(t)
	here, _ := o.editor()
	there, _ := o.editor()
	here.Initialize(companiontest.VSCode(), "/p/here")
	there.Initialize(companiontest.VSCode(), "/p/there")
	here.Status(0, lsp.Ready)
	there.Status(0, lsp.Ready)
	mark := here.Mark()
	o.host.Requested(record("error", fault.ProviderKey, "/p/here/sub"))
	s := here.Status(mark, lsp.Degraded)
	if s.Severity != lsp.Error || !strings.Contains(s.Hover, "claude-code") || s.Command.Arguments[0] != "main" {
		t.Errorf("the status is %+v", s)
	}
	for range 20 {
		o.host.Requested(record("error", fault.ProviderKey, "/p/here/sub"))
	}
	here.AwaitFrom(mark, "the count", func(m companiontest.Message) bool {
		return m.Method == lsp.MethodStatus && strings.Contains(string(m.Params), "(21 times)")
	})
	here.Await("a message", func(m companiontest.Message) bool { return m.Method == "window/showMessageRequest" })
	late, _ := o.editor()
	late.Initialize(companiontest.NeoVim())
	late.Status(0, lsp.Degraded)

	// A limit that no other account could make good for is to be waited out, or gone round.
	o.host.Requested(record("error", fault.RateLimit, "/p/here"))
	here.AwaitFrom(mark, "the limit", func(m companiontest.Message) bool {
		return m.Method == lsp.MethodStatus && strings.Contains(string(m.Params), "KP-UP-010")
	})
	late.Await("a message", func(m companiontest.Message) bool { return m.Method == "window/showMessageRequest" })
	mark = here.Mark()
	o.host.Requested(record("left", fault.CallerLeft, "/p/here"))
	o.host.Requested(record("ok", "", "/p/here"))
	here.Status(mark, lsp.Ready)
	late.Status(0, lsp.Ready)
	for e, want := range map[*companiontest.Editor]int{here: 2, there: 0, late: 1} {
		if n := e.Count(0, "window/showMessageRequest"); n != want {
			t.Errorf("an editor was shown %d messages, want %d", n, want)
		}
	}
	if n := there.Count(0, lsp.MethodStatus); n != 1 {
		t.Errorf("an editor of another folder was sent %d statuses", n)
	}
	for _, e := range []*companiontest.Editor{here, there, late} {
		e.Leave()
	}
}

// What the person chooses in a message is done.
func TestAChoiceInAMessageIsDone(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	e.Answer = func(method string, _ json.RawMessage) any {
		if method == "window/showMessageRequest" {
			return map[string]any{"title": "Open Log"}
		}
		return map[string]any{"success": true}
	}
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Ready)
	o.host.Requested(record("error", fault.ProviderKey, ""))
	e.Await("the log", func(m companiontest.Message) bool { return m.Method == "window/showDocument" })
	e.Leave()
}

func TestAnErrorOfACommandCarriesItsCode(t *testing.T) {
	e, _ := newOffice(t).editor()
	e.Initialize(companiontest.VSCode())
	err := e.Try("workspace/executeCommand", map[string]any{"command": lsp.CmdSafeMode, "arguments": []any{"perhaps"}}, nil)
	wire := new(companiontest.Error)
	if !errors.As(err, &wire) || wire.Code != -32602 {
		t.Errorf("a bad argument: %v", err)
	}
	mark := e.Mark()
	e.Execute(nil, lsp.CmdSignIn, "openai", "key")
	e.AwaitFrom(mark, "nothing but the end", func(m companiontest.Message) bool { return m.Method == "" })
	e.Leave()
}

// An editor shows what holds for its folder.
func TestAFolderHasAWordOfItsOwn(t *testing.T) {
	o := newOffice(t)
	own, _ := o.editor()
	other, _ := o.editor()
	own.Initialize(companiontest.VSCode(), "/p/own")
	other.Initialize(companiontest.VSCode(), "/p/other")
	if s := own.Status(0, lsp.Ready); s.Text != "own · own" {
		t.Errorf("the status is %q", s.Text)
	}
	if s := other.Status(0, lsp.Ready); s.Text != "KorProxy · gpt" {
		t.Errorf("the status elsewhere is %q", s.Text)
	}
	own.Leave()
	other.Leave()
}

// An editor that stands still holds up no other.
func TestAStalledEditorHoldsUpNoOther(t *testing.T) {
	o := newOffice(t)
	stalled, theirs := net.Pipe()
	defer stalled.Close()
	go func() { _ = o.host.Serve(t.Context(), theirs) }() // ends with the pipe
	if err := lsp.WriteMessage(stalled, []byte(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"experimental":{"korproxy":{"status":true,"menu":true}}}}}`)); err != nil {
		t.Fatal(err)
	}
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Ready)
	for i := range 200 {
		e.Execute(nil, lsp.CmdProfile, []string{"work", "default"}[i%2])
	}
	mark := e.Mark()
	o.host.Requested(record("error", fault.ProviderKey, ""))
	e.Status(mark, lsp.Degraded)
	e.Leave()
}

// A bug in what is done beside requests ends neither the daemon nor the editor.
func TestABugInALanguageIsOutlived(t *testing.T) {
	for _, kind := range []companiontest.Kind{companiontest.VSCode(), companiontest.NeoVim()} {
		e, _ := newOffice(t).editor()
		e.Initialize(kind)
		e.Status(0, lsp.Ready)
		e.Open("file:///panic.toml", text)
		e.Execute(nil, lsp.CmdProfile, "work")
		var m lsp.Menu
		e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "profiles"}, &m)
		e.Leave()
	}
}

// Editors come and go while news goes out to all.
func TestEditorsComeAndGo(t *testing.T) {
	o := newOffice(t)
	stop := make(chan struct{})
	var news sync.WaitGroup
	news.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				o.host.Requested(record("error", fault.ProviderKey, ""))
				o.host.Requested(record("ok", "", ""))
			}
		}
	})
	var editors sync.WaitGroup
	for range 6 {
		editors.Go(func() {
			for range 8 {
				e, _ := o.editor()
				e.Initialize(companiontest.NeoVim())
				e.Open("file:///x.toml", text)
				e.Execute(nil, lsp.CmdDismiss, "KP-ACCT-001", "openai/work")
				e.Leave()
			}
		})
	}
	editors.Wait()
	close(stop)
	news.Wait()
	for limit := time.Now().Add(time.Minute); o.host.Editors() > 0; {
		if time.Now().After(limit) {
			t.Fatalf("%d editors are still counted", o.host.Editors())
		}
		runtime.Gosched()
	}
}

// A model that works does not hide one that fails, and trouble that comes and goes
// is said once.
func TestAlternatingModels(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Ready)
	for range 3 {
		bad, good := record("error", fault.ProviderDenied, ""), record("ok", "", "")
		bad.Model, good.Model = "a", "b"
		o.host.Requested(bad)
		o.host.Requested(good)
		e.Status(e.Mark(), lsp.Degraded)
		if list := o.host.Failing(); len(list) != 1 || list[0].Subject != "openai/work/a" {
			t.Fatalf("failing are %+v", list)
		}
		well := record("ok", "", "")
		well.Model = "a"
		mark := e.Mark()
		o.host.Requested(well)
		e.Status(mark, lsp.Ready)
	}
	if n := e.Count(0, "window/showMessageRequest"); n != 1 {
		t.Errorf("%d messages were shown", n)
	}
	e.Leave()
}

// Whoever knocks without a key, however often and under whatever name, is one
// problem, and hides no other.
func TestRequestsTurnedAwayAreOneProblem(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Ready)
	for i := range 300 {
		o.host.Refused(fault.KeyMissing, fmt.Sprintf("tool%d", i))
	}
	o.host.Requested(record("error", fault.ProviderKey, ""))
	e.Await("both", func(m companiontest.Message) bool {
		return m.Method == lsp.MethodStatus && strings.Contains(string(m.Params), "KP-AUTH-001") && strings.Contains(string(m.Params), "KP-ACCT-001")
	})
	if list := o.host.Failing(); len(list) != 2 {
		t.Errorf("failing are %+v", list)
	}
	e.Leave()
}

// A problem of a folder nobody has open is everybody's.
func TestAProblemOfNobodysFolder(t *testing.T) {
	o := newOffice(t)
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode(), "/p/here")
	e.Status(0, lsp.Ready)
	mark := e.Mark()
	o.host.Requested(record("error", fault.ProviderKey, "/p/nobodys"))
	e.Status(mark, lsp.Degraded)
	e.Leave()
}

// What was wrong before an editor came is in its status, and not said, also when
// it is the first after a while.
func TestNoMessageAtTheStart(t *testing.T) {
	o := newOffice(t)
	first, _ := o.editor()
	first.Initialize(companiontest.VSCode())
	first.Status(0, lsp.Ready)
	first.Leave()
	o.host.Requested(record("error", fault.ProviderKey, ""))
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Degraded)
	o.host.Changed()
	e.Execute(nil, lsp.CmdProfile, "work") // looks again
	if n := e.Count(0, "window/showMessageRequest"); n != 0 {
		t.Errorf("%d messages were shown", n)
	}
	e.Leave()
}

// A chat that is under way ends before its connection does, where another daemon
// takes over.
func TestAChatOutlivesItsDaemonsRetirement(t *testing.T) {
	o := newOffice(t)
	o.proxy.block = make(chan struct{})
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	e.Status(0, lsp.Ready)
	id := e.Request(lsp.MethodChat, lsp.ChatParams{Model: "m"})
	<-o.proxy.begun
	old := o.host
	o.mu.Lock()
	o.start()
	o.mu.Unlock()
	retired := make(chan struct{})
	go func() { old.Retire(context.Background()); close(retired) }()
	close(o.proxy.block)
	if m := e.Reply(id); m.Error != nil {
		t.Errorf("the chat was cut: %v", m.Error)
	}
	<-retired
	e.Call(lsp.MethodMenu, lsp.MenuParams{ID: "main"}, nil) // of the new one
	e.Leave()
}

// Progress ends with the daemon that began it.
func TestProgressEndsWithItsDaemon(t *testing.T) {
	o := newOffice(t)
	o.proxy.block = make(chan struct{})
	e, _ := o.editor()
	e.Initialize(companiontest.VSCode())
	e.Request("workspace/executeCommand", map[string]any{"command": lsp.CmdTest})
	began := e.Await("progress", func(m companiontest.Message) bool {
		return m.Method == "$/progress" && strings.Contains(string(m.Params), "begin")
	})
	var p struct{ Token string }
	if err := json.Unmarshal(began.Params, &p); err != nil {
		t.Fatal(err)
	}
	o.crash()
	e.Await("its end", func(m companiontest.Message) bool {
		return m.Method == "$/progress" && strings.Contains(string(m.Params), p.Token) && strings.Contains(string(m.Params), `"end"`)
	})
	close(o.proxy.block)
	e.Leave()
}
