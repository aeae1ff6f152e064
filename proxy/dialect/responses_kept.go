package dialect

import (
	"bytes"
	"container/list"
	"slices"
	"sync"
	"time"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// Items remembers the items of Responses answers that this proxy made. A
// caller that did not say store:false may name them in its next request by
// item_reference instead of sending them again, and no provider knows them. It
// lives in memory and holds the newest.
type Items struct {
	mu    sync.Mutex // guards all below
	known map[string]*list.Element
	order list.List // newest first
	bytes int
	now   func() time.Time
}

// The bounds of the memory.
const (
	keptItems = 4096
	keptBytes = 16 << 20
	keptLife  = 2 * time.Hour
)

type keptItem struct {
	id      string
	raw     []byte
	expires time.Time
}

// NewItems makes an empty memory.
func NewItems() *Items {
	return &Items{known: map[string]*list.Element{}, now: time.Now}
}

// KeepStream remembers the items that a Responses encoder has written. It does
// nothing for encoders of other dialects.
func (m *Items) KeepStream(enc Encoder) {
	e, ok := enc.(*responsesEncoder)
	if !ok || !e.keep || len(e.done) == 0 {
		return
	}
	m.put(slices.Concat([]byte("["), e.done, []byte("]")))
}

// KeepAnswer remembers the items of a whole answer, as it was written for c.
func (m *Items) KeepAnswer(c *Caller, body []byte) {
	if !storing(c) {
		return
	}
	if doc, err := jsondoc.Parse(body); err == nil {
		m.put(bytes.Clone(doc.Root().Get("output").Raw()))
	}
}

// storing says whether a caller expects to name items of the answer later: it
// does unless it said otherwise.
func storing(c *Caller) bool {
	return c.Request == nil || string(extra(c.Request, "store")) != "false"
}

// put takes a list of items, whose bytes are the memory's from now on.
func (m *Items) put(output []byte) {
	doc, err := jsondoc.Parse(output)
	if err != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, item := range doc.Root().Elems() {
		id := item.Get("id").String()
		if id == "" {
			continue
		}
		if el, ok := m.known[id]; ok {
			m.remove(el)
		}
		m.known[id] = m.order.PushFront(&keptItem{id: id, raw: item.Raw(), expires: m.now().Add(keptLife)})
		m.bytes += len(item.Raw())
	}
	for m.order.Len() > keptItems || m.bytes > keptBytes && m.order.Len() > 1 {
		m.remove(m.order.Back())
	}
}

// remove takes an element out. The caller holds mu.
func (m *Items) remove(el *list.Element) {
	it := m.order.Remove(el).(*keptItem)
	delete(m.known, it.id)
	m.bytes -= len(it.raw)
}

// find gives the item of an id, nil when it is not known or has expired.
func (m *Items) find(id string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.known[id]
	if !ok {
		return nil
	}
	it := el.Value.(*keptItem)
	if m.now().After(it.expires) {
		m.remove(el)
		return nil
	}
	m.order.MoveToFront(el)
	return it.raw
}

// Resolve puts remembered items in the place of references to them in a
// Responses request. ok is false when there are none and body is unchanged;
// references to what only a provider keeps stay.
func (m *Items) Resolve(body []byte) (out []byte, ok bool) {
	if !bytes.Contains(body, []byte(`"item_reference"`)) {
		return body, false
	}
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return body, false
	}
	var edits []jsondoc.Edit
	for _, item := range doc.Root().Get("input").Elems() {
		if !item.Get("type").Equal("item_reference") {
			continue
		}
		if raw := m.find(item.Get("id").String()); raw != nil {
			edits = append(edits, jsondoc.Edit{Start: item.Offset(), End: item.Offset() + len(item.Raw()), With: raw})
		}
	}
	return jsondoc.Splice(body, edits...), len(edits) > 0
}
