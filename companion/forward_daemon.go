package companion

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/korproxy/korproxy/companion/lsp"
)

// answered takes an answer of the editor. One to a daemon that is gone is for nobody.
func (f *Forwarder) answered(m envelope) {
	n, err := strconv.ParseInt(string(m.ID), 10, 64)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	q, ok := f.asked[n]
	delete(f.asked, n)
	if q.chosen != nil {
		var item struct {
			Title string `json:"title"`
		}
		_ = json.Unmarshal(m.Result, &item) // no title is no choice
		q.chosen(item.Title)
		return
	}
	if ok && q.turn == f.turn && f.daemon != nil {
		m.ID = q.id
		if m.Error == nil && m.Result == nil {
			m.Result = json.RawMessage("null")
		}
		f.toDaemon(m)
	}
}

// toDaemon sends a message on, if there is a daemon. The caller holds mu.
func (f *Forwarder) toDaemon(m envelope) {
	if f.daemon == nil {
		return
	}
	if b, err := json.Marshal(m); err == nil {
		f.daemon.out.put(lsp.Frame(b))
	}
}

// fromDaemon takes one message of the daemon of a turn.
func (f *Forwarder) fromDaemon(turn int64, content []byte) {
	var m envelope
	if json.Unmarshal(content, &m) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if turn != f.turn {
		return
	}
	switch {
	case m.Method == "": // an answer
		n, err := strconv.ParseInt(string(m.ID), 10, 64)
		r := f.sent[n]
		if err != nil || r == nil {
			return
		}
		delete(f.sent, n)
		m.ID = r.id
		if m.Error == nil && m.Result == nil {
			m.Result = json.RawMessage("null")
		}
	case m.Method == methodStopped:
		f.stopped = true
		return
	case m.ID != nil: // a question
		f.next++
		f.asked[f.next] = question{id: m.ID, turn: turn}
		m.ID = strconv.AppendInt(nil, f.next, 10)
	case m.Method == "$/progress":
		f.progressed(m.Params)
	case m.Method == "$/cancelRequest":
		m.Params = f.renamed(turn, m.Params)
		if m.Params == nil {
			return
		}
	}
	f.send(m)
}

// renamed puts the editor's id into the daemon's wish to take back a question.
// The caller holds mu.
func (f *Forwarder) renamed(turn int64, params json.RawMessage) json.RawMessage {
	var p struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(params, &p) != nil {
		return nil
	}
	for n, q := range f.asked {
		if q.turn == turn && bytes.Equal(q.id, p.ID) {
			return json.RawMessage(`{"id":` + strconv.FormatInt(n, 10) + `}`)
		}
	}
	return nil
}

// progressed remembers what goes on in the daemon, which ends with it. The caller
// holds mu.
func (f *Forwarder) progressed(params json.RawMessage) {
	var p struct {
		Token json.RawMessage `json:"token"`
		Value struct {
			Kind string `json:"kind"`
		} `json:"value"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	switch p.Value.Kind {
	case "begin":
		f.running[string(p.Token)] = true
	case "end":
		delete(f.running, string(p.Token))
	}
}
