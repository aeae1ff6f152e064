// Package companiontest has an editor for tests: it speaks LSP as the real ones
// do, to a process or to a connection, and keeps what it was told.
package companiontest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
)

// patience is how long an editor waits for what must come. It is no measure of
// speed: a machine may be busy.
const patience = 30 * time.Second

// Editor is one editor.
type Editor struct {
	t    testing.TB
	out  io.WriteCloser
	done chan struct{} // closed when the other side has ended

	// Answer answers requests of the server by method; nil answers null.
	Answer func(method string, params json.RawMessage) any

	mu       sync.Mutex // guards what follows
	more     chan struct{}
	next     int
	messages []Message
	ended    error
}

// Message is what the editor was sent.
type Message struct {
	ID     json.RawMessage `json:"id,omitempty"`
	Method string          `json:"method,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  *Error          `json:"error,omitempty"`
	At     time.Time       `json:"-"`
}

// Error is the error of an answer.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// Attach makes an editor that reads from in and writes to out.
func Attach(t testing.TB, in io.Reader, out io.WriteCloser) *Editor {
	e := &Editor{t: t, out: out, done: make(chan struct{}), more: make(chan struct{})}
	go e.read(in)
	return e
}

func (e *Editor) read(in io.Reader) {
	defer close(e.done)
	r := lsp.NewReader(in)
	for {
		b, err := r.Next()
		if err != nil {
			e.mu.Lock()
			e.ended = err
			close(e.more)
			e.more = make(chan struct{})
			e.mu.Unlock()
			return
		}
		m := Message{At: time.Now()}
		if err := json.Unmarshal(b, &m); err != nil {
			e.t.Errorf("the editor was sent what is no message: %v: %.200s", err, b)
			return
		}
		if m.Method != "" && m.ID != nil {
			e.reply(m)
		}
		e.mu.Lock()
		e.messages = append(e.messages, m)
		close(e.more)
		e.more = make(chan struct{})
		e.mu.Unlock()
	}
}

func (e *Editor) reply(m Message) {
	var result any
	if e.Answer != nil {
		result = e.Answer(m.Method, m.Params)
	}
	if result == Silence {
		return
	}
	e.Send(map[string]any{"id": m.ID, "result": result})
}

// Silence as an answer is none.
var Silence = new(struct{ _ int })

// Send sends a message; jsonrpc is added. An editor whose server is gone sends
// to nobody.
func (e *Editor) Send(m map[string]any) {
	m["jsonrpc"] = "2.0"
	b, err := json.Marshal(m)
	if err != nil {
		e.t.Error(err)
		return
	}
	_ = lsp.WriteMessage(e.out, b)
}

// Raw sends bytes as they are.
func (e *Editor) Raw(b string) {
	if _, err := io.WriteString(e.out, b); err != nil {
		e.t.Error(err)
	}
}

// Notify sends a notification.
func (e *Editor) Notify(method string, params any) {
	e.Send(map[string]any{"method": method, "params": params})
}

// Request sends a request and gives its id.
func (e *Editor) Request(method string, params any) string {
	e.mu.Lock()
	e.next++
	id := e.next
	e.mu.Unlock()
	e.Send(map[string]any{"id": id, "method": method, "params": params})
	return strconv.Itoa(id)
}

// Await waits for a message.
func (e *Editor) Await(what string, want func(Message) bool) Message {
	e.t.Helper()
	return e.AwaitFrom(0, what, want)
}

// Mark is the number of messages so far.
func (e *Editor) Mark() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.messages)
}

// AwaitFrom is Await for messages after a mark.
func (e *Editor) AwaitFrom(mark int, what string, want func(Message) bool) Message {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		e.mu.Lock()
		for ; mark < len(e.messages); mark++ {
			if m := e.messages[mark]; want(m) {
				e.mu.Unlock()
				return m
			}
		}
		more, ended := e.more, e.ended
		e.mu.Unlock()
		if ended != nil {
			e.t.Fatalf("%s did not come: the server ended: %v", what, ended)
		}
		select {
		case <-more:
		case <-ctx.Done():
			e.t.Fatalf("%s did not come; the last messages: %s", what, e.last(5))
		}
	}
}

func (e *Editor) last(n int) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, err := json.Marshal(e.messages[max(0, len(e.messages)-n):])
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.2000s", b)
}

// Count is how many messages of a method came after a mark.
func (e *Editor) Count(mark int, method string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, m := range e.messages[mark:] {
		if m.Method == method {
			n++
		}
	}
	return n
}

// Reply waits for the answer to a request.
func (e *Editor) Reply(id string) Message {
	e.t.Helper()
	return e.Await("the answer to "+id, func(m Message) bool { return m.Method == "" && string(m.ID) == id })
}

// Try sends a request and reads the answer into result.
func (e *Editor) Try(method string, params, result any) error {
	e.t.Helper()
	m := e.Reply(e.Request(method, params))
	if m.Error != nil {
		return m.Error
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(m.Result, result)
}

// Call is Try for what must go well.
func (e *Editor) Call(method string, params, result any) {
	e.t.Helper()
	if err := e.Try(method, params, result); err != nil {
		e.t.Fatalf("%s: %v", method, err)
	}
}

// Execute runs a command.
func (e *Editor) Execute(result any, command string, args ...any) {
	e.t.Helper()
	e.Call("workspace/executeCommand", map[string]any{"command": command, "arguments": args}, result)
}

// Initialize opens the conversation as a kind of editor.
func (e *Editor) Initialize(k Kind, folders ...string) lsp.InitializeResult {
	e.t.Helper()
	var r lsp.InitializeResult
	e.Call("initialize", k.Params(folders...), &r)
	e.Notify("initialized", map[string]any{})
	return r
}

// Status waits for a status after a mark.
func (e *Editor) Status(mark int, states ...lsp.State) lsp.StatusParams {
	e.t.Helper()
	var s lsp.StatusParams
	e.AwaitFrom(mark, fmt.Sprintf("a status of %v", states), func(m Message) bool {
		if m.Method != lsp.MethodStatus {
			return false
		}
		s = lsp.StatusParams{}
		if err := json.Unmarshal(m.Params, &s); err != nil {
			e.t.Error(err)
		}
		return len(states) == 0 || slices.Contains(states, s.State)
	})
	return s
}

// Open opens a document.
func (e *Editor) Open(uri, text string) {
	e.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "toml", "version": 1, "text": text}})
}

// Diagnostic is what an editor reads of one.
type Diagnostic struct {
	Range struct {
		Start, End struct{ Line, Character int }
	}
	Severity int
	Code     string
	Message  string
}

// Diagnostics waits for those of a document to be as wanted.
func (e *Editor) Diagnostics(mark int, uri string, want func([]Diagnostic) bool) []Diagnostic {
	e.t.Helper()
	var list []Diagnostic
	e.AwaitFrom(mark, "the diagnostics of "+uri, func(m Message) bool {
		var p struct {
			URI         string
			Diagnostics []Diagnostic
		}
		if m.Method != "textDocument/publishDiagnostics" || json.Unmarshal(m.Params, &p) != nil || p.URI != uri {
			return false
		}
		list = p.Diagnostics
		return want(list)
	})
	return list
}

// Leave ends the conversation as LSP has it.
func (e *Editor) Leave() {
	e.t.Helper()
	e.Call("shutdown", nil, nil)
	e.Notify("exit", nil)
	e.Ended()
}

// Ended waits until the server has closed its output.
func (e *Editor) Ended() {
	e.t.Helper()
	select {
	case <-e.done:
	case <-time.After(patience):
		e.t.Fatal("the server does not end")
	}
	if e.ended != nil && !errors.Is(e.ended, io.EOF) && !errors.Is(e.ended, io.ErrClosedPipe) {
		e.t.Logf("the connection ended: %v", e.ended)
	}
}
