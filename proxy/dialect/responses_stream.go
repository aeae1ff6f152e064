package dialect

import (
	"bytes"
	"io"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (responsesCodec) NewDecoder() Decoder { return &responsesDecoder{} }

// responsesDecoder reads the events of one stream. What an item says may come
// in deltas, in the events that repeat them, in the finished item or in the
// last event alone: the first that has it is taken.
type responsesDecoder struct {
	doc   jsondoc.Doc
	ev    proxy.Event
	yield func(*proxy.Event) error

	started, ended  bool
	called, refused bool
	next            int // index of the next part
	items           []responsesItem
}

// responsesItem is an output item while it arrives.
type responsesItem struct {
	index int64  // output_index, -1 where the server gives none
	id    string // item id, which some servers change from event to event
	kind  proxy.PartKind
	phase string
	done  bool

	part  int   // index of the open part, -1
	place int64 // the content or summary index that the open part is at
	said  map[int64]bool
	given bool // arguments or thinking have been yielded
}

func (d *responsesDecoder) Frame(name, data []byte, yield func(*proxy.Event) error) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || d.ended || bytes.Equal(data, doneMark) {
		if d.ended {
			return io.EOF
		}
		return nil
	}
	if err := d.doc.Reset(data); err != nil {
		return fault.New(fault.UpstreamBadJSON, "the provider sent a broken event: %w", err)
	}
	d.yield = yield
	root := d.doc.Root()
	if t := root.Get("type"); t.Kind() == jsondoc.String {
		name = plainBytes(t)
	}
	return d.event(name, root)
}

// event takes one event. Those of no meaning here (rate limits, the progress
// of hosted tools, what is new) are passed over.
func (d *responsesDecoder) event(kind []byte, root jsondoc.Value) error {
	switch string(kind) {
	case "response.output_text.delta":
		return d.words(root, proxy.PartText, root.Get("delta"))
	case "response.reasoning_summary_text.delta":
		return d.thought(root, root.Get("summary_index"), root.Get("delta"))
	case "response.reasoning_text.delta":
		return d.thought(root, root.Get("content_index"), root.Get("delta"))
	case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
		return d.arguments(root, root.Get("delta"))
	case "response.refusal.delta":
		return d.words(root, proxy.PartRefusal, root.Get("delta"))
	case "response.created", "response.in_progress", "response.queued":
		return d.start(root.Get("response"))
	case "response.output_item.added":
		return d.added(root)
	case "response.output_item.done":
		return d.finished(d.find(root, root.Get("item")), root.Get("item"))
	case "response.output_text.done":
		return d.wordsDone(root, proxy.PartText, root.Get("text"))
	case "response.refusal.done":
		return d.wordsDone(root, proxy.PartRefusal, root.Get("refusal"))
	case "response.function_call_arguments.done":
		return d.argumentsDone(root, root.Get("arguments"))
	case "response.custom_tool_call_input.done":
		return d.argumentsDone(root, root.Get("input"))
	case "response.completed", "response.incomplete", "response.done":
		return d.end(root.Get("response"))
	case "response.failed", "response.cancelled", "error":
		return d.fail(errorFromValue(200, root))
	}
	if len(kind) == 0 && chatError(root) {
		return d.fail(errorFromValue(200, root))
	}
	return nil
}

func (d *responsesDecoder) send(e proxy.Event) error {
	d.ev = e
	return d.yield(&d.ev)
}

func (d *responsesDecoder) fail(f *fault.Error) error {
	d.ended = true
	if err := d.send(proxy.Event{Kind: proxy.EventError, Err: f}); err != nil {
		return err
	}
	return io.EOF
}

func (d *responsesDecoder) start(r jsondoc.Value) error {
	if d.started {
		return nil
	}
	d.started = true
	return d.send(proxy.Event{Kind: proxy.EventStart, ID: r.Get("id").String(), Model: r.Get("model").String()})
}

// find is the item that an event is about, a new one where it is the first.
// The index decides where there is one.
func (d *responsesDecoder) find(root, item jsondoc.Value) *responsesItem {
	index := int64(-1)
	if n, ok := root.Get("output_index").Int(); ok {
		index = n
	}
	idOf := root.Get("item_id")
	if item.Exists() {
		idOf = item.Get("id")
	}
	for i := len(d.items) - 1; i >= 0; i-- {
		it := &d.items[i]
		if index >= 0 && it.index == index || index < 0 && it.id != "" && idOf.Equal(it.id) {
			return it
		}
	}
	if index < 0 && idOf.IsNull() && len(d.items) > 0 && !d.items[len(d.items)-1].done {
		return &d.items[len(d.items)-1]
	}
	d.items = append(d.items, responsesItem{index: index, id: idOf.String(), part: -1})
	return &d.items[len(d.items)-1]
}

// added takes the announcement of an item. A call is begun if its name is
// there; it may hold arguments, but those come again.
func (d *responsesDecoder) added(root jsondoc.Value) error {
	item := root.Get("item")
	it := d.find(root, item)
	it.phase = item.Get("phase").String()
	if call, ok := responsesCall(item); ok && isCall(item) {
		return d.beginCall(it, call.Call)
	}
	return nil
}

func isCall(item jsondoc.Value) bool {
	kind := item.Get("type")
	return kind.Equal("function_call") || kind.Equal("custom_tool_call")
}

func (d *responsesDecoder) beginCall(it *responsesItem, c *proxy.Call) error {
	if it.part >= 0 || it.done {
		return nil
	}
	d.called = true
	it.kind, it.part = proxy.PartToolCall, d.next
	d.next++
	return d.send(proxy.Event{Kind: proxy.EventPartStart, Index: it.part, Part: it.kind, ID: c.ID, Name: c.Name, Custom: c.Custom})
}

func (d *responsesDecoder) arguments(root, text jsondoc.Value) error {
	it := d.find(root, jsondoc.Value{})
	if it.kind != proxy.PartToolCall || it.part < 0 || text.Lit().Empty() {
		return nil // a call without a name yet: its item has all of it
	}
	it.given = true
	return d.send(proxy.Event{Kind: proxy.EventDelta, Index: it.part, Part: it.kind, Text: text.Lit()})
}

func (d *responsesDecoder) argumentsDone(root, text jsondoc.Value) error {
	if it := d.find(root, jsondoc.Value{}); it.given {
		return nil
	}
	return d.arguments(root, text)
}

// words adds to what the model says at one place of a message.
func (d *responsesDecoder) words(root jsondoc.Value, kind proxy.PartKind, text jsondoc.Value) error {
	if text.Lit().Empty() {
		return nil
	}
	return d.say(d.find(root, jsondoc.Value{}), kind, count(root.Get("content_index")), text.Lit())
}

func (d *responsesDecoder) wordsDone(root jsondoc.Value, kind proxy.PartKind, text jsondoc.Value) error {
	it, place := d.find(root, jsondoc.Value{}), count(root.Get("content_index"))
	if !it.said[place] && !text.Lit().Empty() {
		if err := d.say(it, kind, place, text.Lit()); err != nil {
			return err
		}
	}
	if it.place != place {
		return nil
	}
	return d.endPart(it, nil)
}

func (d *responsesDecoder) say(it *responsesItem, kind proxy.PartKind, place int64, text jsondoc.Lit) error {
	if it.done {
		return nil
	}
	if it.part < 0 || it.kind != kind || it.place != place {
		if err := d.endPart(it, nil); err != nil {
			return err
		}
		d.refused = d.refused || kind == proxy.PartRefusal
		it.kind, it.part, it.place = kind, d.next, place
		d.next++
		if it.said == nil {
			it.said = map[int64]bool{}
		}
		it.said[place] = true
		if err := d.send(proxy.Event{Kind: proxy.EventPartStart, Index: it.part, Part: kind, Phase: it.phase}); err != nil {
			return err
		}
	}
	return d.send(proxy.Event{Kind: proxy.EventDelta, Index: it.part, Part: kind, Text: text})
}

// thought adds to an item's thinking, all of which is one part.
func (d *responsesDecoder) thought(root, place, text jsondoc.Value) error {
	if text.Lit().Empty() {
		return nil
	}
	return d.think(d.find(root, jsondoc.Value{}), count(place), text.Lit())
}

func (d *responsesDecoder) think(it *responsesItem, place int64, text jsondoc.Lit) error {
	if it.done {
		return nil
	}
	if err := d.beginThinking(it); err != nil {
		return err
	}
	if it.given && it.place != place {
		if err := d.send(proxy.Event{Kind: proxy.EventDelta, Index: it.part, Part: it.kind, Text: jsondoc.Quote(summaryBreak)}); err != nil {
			return err
		}
	}
	it.given, it.place = true, place
	return d.send(proxy.Event{Kind: proxy.EventDelta, Index: it.part, Part: it.kind, Text: text})
}

func (d *responsesDecoder) beginThinking(it *responsesItem) error {
	if it.part >= 0 {
		return nil
	}
	it.kind, it.part = proxy.PartReasoning, d.next
	d.next++
	return d.send(proxy.Event{Kind: proxy.EventPartStart, Index: it.part, Part: it.kind})
}

func (d *responsesDecoder) endPart(it *responsesItem, o *proxy.Opaque) error {
	if it.part < 0 {
		return nil
	}
	e := proxy.Event{Kind: proxy.EventPartEnd, Index: it.part, Part: it.kind, Opaque: o}
	it.part = -1
	return d.send(e)
}

// finished takes a whole item and yields what of it has not been yielded.
func (d *responsesDecoder) finished(it *responsesItem, item jsondoc.Value) error {
	if it.done {
		return nil
	}
	err := d.rest(it, item)
	it.done = true
	return err
}

func (d *responsesDecoder) rest(it *responsesItem, item jsondoc.Value) error {
	switch kind := item.Get("type"); {
	case kind.Equal("message"):
		it.phase = item.Get("phase").String()
		for i, p := range item.Get("content").Elems() {
			what, text := proxy.PartText, p.Get("text").Lit()
			if p.Get("type").Equal("refusal") {
				what, text = proxy.PartRefusal, p.Get("refusal").Lit()
			}
			if it.said[int64(i)] || text.Empty() {
				continue
			}
			if err := d.say(it, what, int64(i), text); err != nil {
				return err
			}
		}
		return d.endPart(it, nil)
	case kind.Equal("reasoning"):
		sealed := sealedThinking(item)
		if text := responsesThinking(item); !it.given && !text.Empty() {
			if err := d.think(it, 0, text); err != nil {
				return err
			}
		}
		if sealed != nil {
			if err := d.beginThinking(it); err != nil {
				return err
			}
		}
		return d.endPart(it, sealed)
	case isCall(item):
		return d.wholeCall(it, item)
	case kind.Kind() != jsondoc.String:
		return d.endPart(it, nil)
	}
	it.kind, it.part = proxy.PartServer, d.next
	d.next++
	if err := d.send(proxy.Event{Kind: proxy.EventPartStart, Index: it.part, Part: it.kind, Raw: item.Raw(), Origin: proxy.OpenAIResponses}); err != nil {
		return err
	}
	return d.endPart(it, nil)
}

func (d *responsesDecoder) wholeCall(it *responsesItem, item jsondoc.Value) error {
	part, ok := responsesCall(item)
	if ok {
		if err := d.beginCall(it, part.Call); err != nil {
			return err
		}
	}
	if it.part >= 0 && !it.given && len(part.Call.Args) > 0 {
		it.given = true
		text := jsondoc.QuoteBytes(part.Call.Args)
		if err := d.send(proxy.Event{Kind: proxy.EventDelta, Index: it.part, Part: it.kind, Text: text}); err != nil {
			return err
		}
	}
	return d.endPart(it, nil)
}

// end takes the last event. Its output is only read for items that did not
// come before; many servers leave it empty.
func (d *responsesDecoder) end(r jsondoc.Value) error {
	if err := d.start(r); err != nil {
		return err
	}
	if output := r.Get("output"); !d.complete(output.Len()) {
		for i, item := range output.Elems() {
			if err := d.finished(d.listed(int64(i), item), item); err != nil {
				return err
			}
		}
	}
	for i := range d.items {
		if err := d.endPart(&d.items[i], nil); err != nil {
			return err
		}
	}
	if usage, ok := responsesUsage(r.Get("usage")); ok {
		if err := d.send(proxy.Event{Kind: proxy.EventUsage, Usage: usage}); err != nil {
			return err
		}
	}
	d.ended = true
	reason := wholeReason(responsesReason(r), d.called, d.refused)
	if err := d.send(proxy.Event{Kind: proxy.EventFinish, Finish: proxy.Finish{Reason: reason}}); err != nil {
		return err
	}
	return io.EOF
}

// complete says whether n items and no fewer have come whole.
func (d *responsesDecoder) complete(n int) bool {
	for i := range d.items {
		if !d.items[i].done {
			return false
		}
	}
	return len(d.items) >= n
}

// listed is the item at a place of the last event's output.
func (d *responsesDecoder) listed(at int64, item jsondoc.Value) *responsesItem {
	id := item.Get("id")
	for i := range d.items {
		if it := &d.items[i]; it.id != "" && id.Equal(it.id) {
			return it
		}
	}
	for i := range d.items {
		if it := &d.items[i]; it.index == at || it.index < 0 && int64(i) == at {
			return it
		}
	}
	d.items = append(d.items, responsesItem{index: at, part: -1})
	return &d.items[len(d.items)-1]
}

func (d *responsesDecoder) Close(func(*proxy.Event) error) error {
	if d.ended {
		return nil
	}
	return fault.New(fault.StreamTruncated, "the provider closed the stream before the end of the answer")
}
