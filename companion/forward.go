package companion

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/korproxy/korproxy/companion/lsp"
)

// Forwarder relays between an editor and the daemon. What the daemon has to know
// of the editor it knows itself, so that it can tell it to the next daemon.
type Forwarder struct {
	In  io.Reader
	Out io.Writer
	// Dial finds the daemon or starts it, and attaches to it. It may take
	// seconds; the error is for the user.
	Dial func(ctx context.Context) (io.ReadWriteCloser, error)
	// Find is Dial for a daemon that is there; it starts none.
	Find func(ctx context.Context) (io.ReadWriteCloser, error)
	// Tail gives the end of what the daemon last wrote to its log, and LogFile where it is.
	Tail    func() string
	LogFile string
	Version string

	out *outbox

	mu      sync.Mutex // guards what follows
	phase   phase
	state   editorState
	daemon  *daemonLink        // nil while there is none
	turn    int64              // counts daemons
	next    int64              // id of the next message
	sent    map[int64]*request // of the editor, under way
	asked   map[int64]question // of the daemon, to the editor
	failed  error              // why there is no daemon and none is about to come
	stopped bool               // the user has stopped it
	running map[string]bool    // tokens of progress that the daemon has begun
	again   chan struct{}      // try now
}

type phase uint8

const (
	fresh phase = iota
	initialized
	shutDown
)

// request is one of the editor's.
type request struct {
	id     json.RawMessage
	method string
	raw    envelope
	turn   int64 // the daemon it was sent to; 0 waits for one
}

// question is a request to the editor: a daemon's, or the forwarder's own.
type question struct {
	id     json.RawMessage
	turn   int64
	chosen func(title string) // takes the answer to one of the forwarder's own; may be nil
}

// envelope is a message as far as a relay reads it.
type envelope struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// JSON-RPC's codes, and LSP's for what comes too early.
const (
	codeInvalidRequest = -32600
	codeMethodNotFound = -32601
	codeInvalidParams  = -32602
	codeInternal       = -32603
	codeNotInitialized = -32002
)

// methodStopped is how a daemon tells a forwarder that it ends because its user
// wants it to. The editor does not hear of it.
const methodStopped = "$/korproxy/stopped"

// ErrExit is an editor that left without a shutdown: LSP wants a status of 1.
var ErrExit = errors.New("the editor left without a shutdown")

// Run serves the editor until it leaves.
func (f *Forwarder) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	f.sent, f.asked, f.again, f.running = map[int64]*request{}, map[int64]question{}, make(chan struct{}, 1), map[string]bool{}
	f.out = newOutbox(0)
	f.state.init()
	var link sync.WaitGroup
	var writing sync.WaitGroup
	writing.Go(func() { f.out.run(f.Out) })
	defer func() {
		cancel()
		f.drop()
		link.Wait()
		f.out.close()
		writing.Wait()
	}()
	in := make(chan []byte)
	broken := make(chan error, 1)
	go func() { // ends with the process: reading an editor's pipe cannot be broken off
		r := lsp.NewReader(f.In)
		for {
			b, err := r.Next()
			if err != nil {
				broken <- err
				return
			}
			select {
			case in <- b:
			case <-ctx.Done():
				return
			}
		}
	}()
	begin := sync.OnceFunc(func() { link.Go(func() { f.keepAttached(ctx) }) })
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			if errors.Is(err, io.EOF) {
				return nil // the editor is gone; so is its wish for a status
			}
			return err
		case b := <-in:
			if done, err := f.fromEditor(b, begin); done {
				return err
			}
		}
	}
}

// drop lets go of the daemon.
func (f *Forwarder) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.daemon != nil {
		f.daemon.conn.Close()
	}
}

// fromEditor takes one message of the editor; done is its leave.
func (f *Forwarder) fromEditor(content []byte, begin func()) (done bool, err error) {
	var m envelope
	if json.Unmarshal(content, &m) != nil || m.Version != "2.0" || m.Method == "" && m.ID == nil {
		f.toEditor(lsp.Malformed(content))
		return false, nil
	}
	switch {
	case m.Method == "":
		f.answered(m)
	case m.ID == nil:
		return f.noted(m)
	case m.Method == "initialize":
		f.initialize(m, begin)
	default:
		f.requested(m)
	}
	return false, nil
}

// initialize answers by itself: what KorProxy can do does not depend on the
// daemon, so that an editor never waits for one to start, and the first daemon is
// told of the editor the way every later one is.
func (f *Forwarder) initialize(m envelope, begin func()) {
	client, err := lsp.ReadClient(m.Params)
	f.mu.Lock()
	switch {
	case err != nil:
		f.mu.Unlock()
		f.refuse(m.ID, codeInvalidParams, "the parameters of initialize cannot be read: "+err.Error(), nil)
		return
	case f.phase != fresh:
		f.mu.Unlock()
		f.refuse(m.ID, codeInvalidRequest, "initialize was sent before", nil)
		return
	}
	f.phase = initialized
	f.state.client, f.state.initialize = client, m.Params
	f.mu.Unlock()
	f.reply(m.ID, Capabilities(client, f.Version))
	begin()
}

// noted takes a notification of the editor.
func (f *Forwarder) noted(m envelope) (done bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case m.Method == "exit":
		if f.phase != shutDown {
			return true, ErrExit
		}
		return true, nil
	case f.phase != initialized:
		return false, nil
	case m.Method == "$/cancelRequest":
		f.cancelled(m.Params)
		return false, nil
	}
	f.state.note(m.Method, m.Params)
	if f.state.replayed(m.Method) || m.Method == "$/progress" || m.Method == "window/workDoneProgress/cancel" || m.Method == "textDocument/didSave" {
		f.toDaemon(m)
	}
	return false, nil
}

// cancelled passes on that the editor wants no answer any more. The caller holds mu.
func (f *Forwarder) cancelled(params json.RawMessage) {
	var p struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	for n, r := range f.sent {
		if !bytes.Equal(r.id, p.ID) {
			continue
		}
		if r.turn != 0 && r.turn == f.turn {
			f.toDaemon(envelope{Version: "2.0", Method: "$/cancelRequest", Params: json.RawMessage(`{"id":` + strconv.FormatInt(n, 10) + `}`)})
			return
		}
		delete(f.sent, n)
		f.refuse(r.id, lsp.CodeRequestCancelled, "cancelled", nil)
	}
}

// requested takes a request of the editor. Without a daemon it waits for one,
// unless none can be had.
func (f *Forwarder) requested(m envelope) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.phase == fresh:
		f.refuse(m.ID, codeNotInitialized, "initialize comes first", nil)
		return
	case f.phase == shutDown:
		f.refuse(m.ID, codeInvalidRequest, "the connection is shut down", nil)
		return
	case m.Method == "shutdown":
		f.phase = shutDown
		f.reply(m.ID, nil)
		return
	case f.failed != nil && f.daemon == nil:
		f.alone(m)
		return
	}
	f.next++
	r := &request{id: m.ID, method: m.Method, raw: m}
	f.sent[f.next] = r
	if f.daemon != nil {
		f.pass(f.next, r)
	}
}

// pass sends a request on under an id of our own: editors use numbers of any
// size, and strings. The caller holds mu.
func (f *Forwarder) pass(n int64, r *request) {
	r.turn = f.turn
	m := r.raw
	m.ID = strconv.AppendInt(nil, n, 10)
	f.toDaemon(m)
}

func (f *Forwarder) toEditor(content []byte) { f.out.put(lsp.Frame(content)) }

func (f *Forwarder) send(m envelope) {
	m.Version = "2.0"
	if b, err := json.Marshal(m); err == nil {
		f.toEditor(b)
	}
}

// notify tells the editor something of the forwarder's own.
func (f *Forwarder) notify(method string, params any) {
	if b, err := json.Marshal(params); err == nil {
		f.send(envelope{Method: method, Params: b})
	}
}

func (f *Forwarder) reply(id json.RawMessage, result any) {
	b, err := json.Marshal(result)
	if err != nil {
		f.refuse(id, codeInternal, err.Error(), nil)
		return
	}
	f.send(envelope{ID: id, Result: b})
}

func (f *Forwarder) refuse(id json.RawMessage, code int, message string, data any) {
	e := struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    any    `json:"data,omitempty"`
	}{code, message, data}
	if b, err := json.Marshal(e); err == nil {
		f.send(envelope{ID: id, Error: b})
	}
}
