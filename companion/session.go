package companion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"

	"go.lsp.dev/jsonrpc2"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
)

// Session is the connection of one editor. It dies with it.
type Session struct {
	host *Host
	conn jsonrpc2.Conn
	ctx  context.Context // of the connection

	client atomic.Pointer[lsp.Client]
	docs   atomic.Pointer[map[string]*lsp.Text] // replaced, never changed
	work   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	ending  bool       // nothing is begun any more
	leaving bool       // the connection ends with the last call under way
	calls   map[jsonrpc2.ID]context.CancelFunc
	folders []string
	status  lsp.StatusParams
	said    map[saidKey]saying
	pushed  map[string]string // diagnostics as last sent, by document
	greeted bool              // the first status was sent
	tokens  int               // of progress, counted
}

func newSession(h *Host, conn io.ReadWriteCloser) *Session {
	s := &Session{
		host: h, conn: jsonrpc2.NewConn(lsp.NewStream(queued(conn))),
		calls: map[jsonrpc2.ID]context.CancelFunc{}, said: map[saidKey]saying{}, pushed: map[string]string{},
	}
	s.docs.Store(&map[string]*lsp.Text{})
	return s
}

// run serves the connection until it ends, and waits for what it began.
func (s *Session) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	s.ctx = ctx
	s.conn.Go(ctx, s.take)
	<-s.conn.Done()
	cancel()
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.work.Wait()
	s.conn.Close() // waits for what is being written
	return s.conn.Err()
}

// spawn runs f beside the connection, unless that has ended, and outlives a bug in
// it: the daemon serves other editors, too.
func (s *Session) spawn(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return
	}
	s.work.Go(func() { s.host.outlive(f) })
}

// leave ends the connection when no call is under way there, be it a chat or a test.
func (s *Session) leave() {
	s.mu.Lock()
	s.leaving = true
	idle := len(s.calls) == 0
	s.mu.Unlock()
	if idle {
		s.conn.Close()
	}
}

// handler serves one method.
type handler func(s *Session, ctx context.Context, params json.RawMessage) (any, error)

// handlers is every request that is served.
func handlers() map[string]handler {
	return map[string]handler{
		"workspace/executeCommand":  (*Session).executeCommand,
		"textDocument/hover":        (*Session).hover,
		"textDocument/completion":   (*Session).completion,
		"textDocument/definition":   (*Session).definition,
		"textDocument/codeAction":   (*Session).codeAction,
		"textDocument/codeLens":     (*Session).codeLens,
		"textDocument/documentLink": (*Session).documentLink,
		lsp.MethodInlayHint:         (*Session).inlayHint,
		lsp.MethodDiagnostic:        (*Session).diagnostic,
		lsp.MethodMenu:              (*Session).menu,
		lsp.MethodChat:              (*Session).chat,
	}
}

var served = handlers()

// take handles one message. Those that change documents are done at once and in
// order; every request has a goroutine of its own, and sees the documents as they
// were when it came.
func (s *Session) take(ctx context.Context, reply jsonrpc2.Replier, req jsonrpc2.Request) error {
	call, ok := req.(*jsonrpc2.Call)
	if !ok {
		s.noted(req.Method(), req.Params())
		return nil
	}
	if req.Method() == "initialize" {
		client, err := lsp.ReadClient(req.Params())
		if err != nil {
			return answer(ctx, reply, nil, bad(err))
		}
		s.client.Store(client)
		s.mu.Lock()
		s.folders = client.Folders
		s.mu.Unlock()
		return answer(ctx, reply, Capabilities(client, s.host.Version), nil)
	}
	if req.Method() == "shutdown" {
		return answer(ctx, reply, nil, nil)
	}
	h := served[req.Method()]
	switch {
	case s.client.Load() == nil:
		return answer(ctx, reply, nil, jsonrpc2.NewError(codeNotInitialized, "initialize comes first"))
	case h == nil:
		return answer(ctx, reply, nil, jsonrpc2.NewError(jsonrpc2.MethodNotFound, req.Method()+" is not served"))
	}
	ctx, cancel := context.WithCancel(withDocuments(ctx, *s.docs.Load()))
	s.mu.Lock()
	s.calls[call.ID()] = cancel
	s.mu.Unlock()
	s.spawn(func() {
		defer func() {
			s.mu.Lock()
			delete(s.calls, call.ID())
			last := s.leaving && len(s.calls) == 0
			s.mu.Unlock()
			cancel()
			if last {
				s.conn.Close()
			}
		}()
		result, err := s.guarded(ctx, h, req.Params())
		if ctx.Err() != nil && s.ctx.Err() == nil && err != nil {
			err = jsonrpc2.NewError(lsp.CodeRequestCancelled, "cancelled")
		}
		_ = answer(ctx, reply, result, wireError(err))
	})
	return nil
}

// answer replies. An editor that takes no answer is gone, which the reader hears:
// the connection must not be given an error of another kind than its own.
func answer(ctx context.Context, reply jsonrpc2.Replier, result any, err error) error {
	_ = reply(ctx, result, err)
	return nil
}

// guarded ends one request, and not the daemon, with a bug in it.
func (s *Session) guarded(ctx context.Context, h handler, params json.RawMessage) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.host.Log.Error("a request of an editor ended by a bug", "code", string(fault.Panicked), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			result, err = nil, fault.New(fault.Panicked, "a bug in KorProxy ended this request")
		}
	}()
	return h(s, ctx, params)
}

// wireError is an error as JSON-RPC carries it.
func wireError(err error) error {
	if err == nil {
		return nil
	}
	if e := new(jsonrpc2.Error); errors.As(err, &e) {
		return e
	}
	f := fault.As(err)
	data, merr := json.Marshal(lsp.ErrorData{Code: string(f.Code), Fix: f.Fix(), Retry: f.Class().Retryable()})
	if merr != nil {
		return jsonrpc2.NewError(jsonrpc2.InternalError, f.Error())
	}
	raw := json.RawMessage(data)
	return &jsonrpc2.Error{Code: lsp.CodeRequestFailed, Message: f.Error(), Data: &raw}
}

// noted takes a notification. Those nobody knows are passed over, as LSP says.
func (s *Session) noted(method string, params json.RawMessage) {
	switch method {
	case "$/cancelRequest":
		s.cancelled(params)
	case "initialized":
		s.spawn(func() { s.host.look() })
	case "exit":
		s.conn.Close()
	case "textDocument/didOpen", "textDocument/didChange", "textDocument/didClose":
		s.edited(method, params)
	case "textDocument/didSave":
		s.host.Changed() // a folder's file may say something else now
	case "workspace/didChangeWorkspaceFolders":
		s.moved(params)
		s.host.Changed()
	}
}

// cancelled ends a request. Ids are numbers or strings.
func (s *Session) cancelled(params json.RawMessage) {
	var p struct {
		ID jsonrpc2.ID `json:"id"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cancel := s.calls[p.ID]; cancel != nil {
		cancel()
	}
}

func (s *Session) moved(params json.RawMessage) {
	var p struct {
		Event struct {
			Added, Removed []struct {
				URI string `json:"uri"`
			}
		} `json:"event"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	folders := slices.Clone(s.folders)
	for _, f := range p.Event.Removed {
		if path, ok := lsp.FilePath(f.URI); ok {
			folders = slices.DeleteFunc(folders, func(have string) bool { return have == path })
		}
	}
	for _, f := range p.Event.Added {
		if path, ok := lsp.FilePath(f.URI); ok {
			folders = append(folders, path)
		}
	}
	s.folders = folders
}

// workspace is the folder requests of this editor are about, "" unknown.
func (s *Session) workspace() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.folders) == 0 {
		return ""
	}
	return s.folders[0]
}

// notify tells the editor something. One that takes nothing is gone.
func (s *Session) notify(method string, params any) { _ = s.conn.Notify(s.ctx, method, params) }

// ask asks the editor, and takes the question back when ctx ends first.
func (s *Session) ask(ctx context.Context, method string, params, result any) error {
	id, err := s.conn.Call(ctx, method, params, result)
	if err != nil && ctx.Err() != nil && s.ctx.Err() == nil {
		s.notify("$/cancelRequest", map[string]any{"id": &id})
	}
	return err
}

// bad refuses parameters that cannot be read.
func bad(err error) error { return jsonrpc2.NewError(jsonrpc2.InvalidParams, err.Error()) }

type documentsKey struct{}

func withDocuments(ctx context.Context, docs map[string]*lsp.Text) context.Context {
	return context.WithValue(ctx, documentsKey{}, docs)
}

// document finds a document as it was when the request came.
func document(ctx context.Context, uri string) *lsp.Text {
	docs, _ := ctx.Value(documentsKey{}).(map[string]*lsp.Text)
	return docs[uri]
}
