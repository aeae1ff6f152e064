package dialect

import (
	"bytes"
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// Replay remembers what a provider's answer held that the caller's dialect
// cannot carry: signed or encrypted reasoning, the thought signatures of tool
// calls, and the provider's own call ids. On the next turn it is put back, for
// the same provider, account and conversation only. It lives in memory.
type Replay struct {
	mu      sync.Mutex // guards all below
	entries map[string]*list.Element
	order   list.List // newest first
	bytes   int
	now     func() time.Time
}

// The bounds of the memory.
const (
	replayEntries = 4096
	replayBytes   = 64 << 20
	replayTurn    = 8 << 20 // a stream that says more than this is not remembered
	replayLife    = 24 * time.Hour
)

// remembered is one assistant turn.
type remembered struct {
	key     string
	origin  proxy.Origin
	reason  []proxy.Part             // reasoning parts in order, opaque data included
	opaque  map[string]*proxy.Opaque // by the caller's call id
	text    *proxy.Opaque            // of the turn's last text
	ids     map[string]string        // caller's call id → the provider's
	size    int
	expires time.Time
}

// NewReplay makes an empty memory.
func NewReplay() *Replay {
	return &Replay{entries: map[string]*list.Element{}, now: time.Now}
}

// Remember keeps what of an answer the caller cannot send back. ids are the
// call ids the caller was given, in order.
func (m *Replay) Remember(origin proxy.Origin, conversation string, a *proxy.Answer, ids []string) {
	e := &remembered{origin: origin, opaque: map[string]*proxy.Opaque{}, ids: map[string]string{}, expires: m.now().Add(replayLife)}
	calls, worth := 0, false
	for _, part := range a.Parts {
		switch part.Kind {
		case proxy.PartReasoning:
			if part.Opaque == nil && part.Text.Empty() {
				continue
			}
			part.Text = bytes.Clone(part.Text)
			part.Opaque = owned(part.Opaque, origin)
			e.reason = append(e.reason, part)
			e.size += len(part.Text)
			if part.Opaque != nil {
				e.size += len(part.Opaque.Data)
			}
			worth = true
		case proxy.PartToolCall:
			if calls < len(ids) {
				id := ids[calls]
				if part.Opaque != nil {
					e.opaque[id], worth = owned(part.Opaque, origin), true
					e.size += len(id) + len(part.Opaque.Data)
				}
				if part.Call.ID != id && part.Call.ID != "" {
					e.ids[id], worth = part.Call.ID, true
					e.size += len(id) + len(part.Call.ID)
				}
			}
			calls++
		case proxy.PartText:
			if part.Opaque != nil {
				e.text, worth = owned(part.Opaque, origin), true
				e.size += len(part.Opaque.Data)
			}
		}
	}
	if !worth {
		return
	}
	e.key = turnKey(conversation, a.Parts, ids)
	m.put(e)
}

func owned(o *proxy.Opaque, origin proxy.Origin) *proxy.Opaque {
	if o == nil {
		return nil
	}
	c := *o
	c.Origin = origin
	return &c
}

func (m *Replay) put(e *remembered) {
	e.size += 256
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.entries[e.key]; ok {
		m.remove(old)
	}
	m.entries[e.key] = m.order.PushFront(e)
	m.bytes += e.size
	for m.order.Len() > replayEntries || m.bytes > replayBytes && m.order.Len() > 1 {
		m.remove(m.order.Back())
	}
}

// remove takes an element out. The caller holds mu.
func (m *Replay) remove(el *list.Element) {
	e := m.order.Remove(el).(*remembered)
	delete(m.entries, e.key)
	m.bytes -= e.size
}

// Forget drops what is remembered of an origin whose provider has refused it.
func (m *Replay) Forget(o proxy.Origin) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for el := m.order.Front(); el != nil; {
		next := el.Next()
		if sameAccount(el.Value.(*remembered).origin, o) {
			m.remove(el)
		}
		el = next
	}
}

// find gives what is remembered of a turn, nil when nothing is or it has
// expired.
func (m *Replay) find(key string) *remembered {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.entries[key]
	if !ok {
		return nil
	}
	e := el.Value.(*remembered)
	if m.now().After(e.expires) {
		m.remove(el)
		return nil
	}
	m.order.MoveToFront(el)
	return e
}

// recall puts back into an assistant turn what its maker needs to see again.
func (p *preparer) recall(t proxy.Turn) proxy.Turn {
	p.originals = nil
	if p.mem == nil {
		return t
	}
	var ids []string
	for _, part := range t.Parts {
		if part.Call != nil {
			ids = append(ids, part.Call.ID)
		}
	}
	e := p.mem.find(turnKey(p.Conversation, t.Parts, ids))
	if e == nil || !sameAccount(e.origin, p.t.Origin) {
		return t
	}
	p.originals = e.ids
	parts := make([]proxy.Part, 0, len(t.Parts)+len(e.reason))
	parts = append(parts, e.reason...)
	for _, part := range t.Parts {
		switch {
		case part.Kind == proxy.PartReasoning && len(e.reason) > 0:
			continue // the caller's copy of what was put back
		case part.Call != nil:
			if o := e.opaque[part.Call.ID]; o != nil {
				part.Opaque = o
			}
		case part.Kind == proxy.PartText && e.text != nil:
			part.Opaque = e.text
		}
		parts = append(parts, part)
	}
	t.Parts = parts
	return t
}

func sameAccount(a, b proxy.Origin) bool {
	return a.Dialect == b.Dialect && a.Provider == b.Provider && a.Account == b.Account
}

// conversationKey tells conversations apart by their first user turn.
func conversationKey(r *proxy.Request) string {
	for _, t := range r.Turns {
		if t.Role == proxy.RoleUser {
			h := sha256.New()
			writeTexts(h, t.Parts)
			return hex.EncodeToString(h.Sum(nil)[:16])
		}
	}
	return ""
}

// turnKey names an assistant turn by what the caller saw of it: the ids of its
// calls, or its text when it made none.
func turnKey(conversation string, parts []proxy.Part, ids []string) string {
	h := sha256.New()
	h.Write([]byte(conversation))
	if len(ids) > 0 {
		for _, id := range ids {
			h.Write([]byte{0})
			h.Write([]byte(id))
		}
	} else {
		writeTexts(h, parts)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// writeTexts hashes the words of a turn. Clients trim and re-escape texts, so
// it is the unescaped words without the space around them that count.
func writeTexts(h hash.Hash, parts []proxy.Part) {
	var buf []byte
	for _, part := range parts {
		if part.Kind == proxy.PartText {
			buf = jsondoc.AppendUnquoted(buf, part.Text)
		}
	}
	h.Write([]byte{1})
	h.Write(bytes.TrimSpace(buf))
}
