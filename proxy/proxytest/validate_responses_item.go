package proxytest

import (
	"fmt"
	"strings"
)

// within handles the events between output_item.added and output_item.done.
func (g *responsesGrammar) within(kind string, o object) {
	item := g.open
	if item == nil {
		g.fail("block/open", "%s outside an item", kind)
		return
	}
	index, hasIndex := o.int("output_index")
	g.want(hasIndex && index == item.index, "block/open", "%s for output_index %v, open is %d", kind, o["output_index"], item.index)
	g.want(o.str("item_id") == item.id, "block/open", "%s for item %q, open is %q", kind, o.str("item_id"), item.id)
	stem, action := kind[:strings.LastIndexByte(kind, '.')], kind[strings.LastIndexByte(kind, '.')+1:]
	if part, ok := responsesParts[stem]; ok {
		g.part(action, part.index, part.list, o)
		return
	}
	if text, ok := responsesDeltas[stem+".delta"]; ok {
		g.text(stem, action, text, o)
	}
}

func (g *responsesGrammar) part(action, member, list string, o object) {
	item := g.open
	index, ok := o.int(member)
	name := fmt.Sprintf("%s %d", list, index)
	switch action {
	case "added":
		g.want(item.part == "", "block/close", "part %s starts while %s is open", name, item.part)
		g.want(ok && index == item.parts[list], "index/order", "%s %v, want %d", member, o[member], item.parts[list])
		g.want(o.obj("part").str("type") != "", "frame/dialect", "a part without type")
		item.part = name
		item.parts[list]++
	case "done":
		g.want(item.part == name, "block/open", "end of part %s, open is %q", name, item.part)
		item.part = ""
		g.want(partText(o.obj("part")) == item.full[name], "block/full", "part %s differs from its text", name)
	}
}

// partText gives the text of a content or summary part, whichever its type.
func partText(part object) string {
	if part.str("type") == "refusal" {
		return part.str("refusal")
	}
	return part.str("text")
}

func (g *responsesGrammar) text(stem, action string, text responsesText, o object) {
	item := g.open
	g.want(item.kind == text.item, "block/type", "%s in a %s item", stem, item.kind)
	place := text.full
	if text.index != "" {
		index, ok := o.int(text.index)
		g.want(ok, "index/order", "no %s", text.index)
		place = fmt.Sprintf("%s %d", strings.TrimSuffix(text.index, "_index"), index)
		// Reasoning text comes without part events from some models, and so from us.
		g.want(item.part == place || stem == "response.reasoning_text", "block/open", "%s in part %s, open is %q", stem, place, item.part)
	}
	so, begun := item.texts[place]
	if !begun {
		so = &strings.Builder{}
		item.texts[place] = so
	}
	_, closed := item.full[place]
	g.want(!closed, "block/close", "%s.%s after its end", stem, action)
	if action == "delta" {
		g.want(o.isStr("delta"), "block/type", "%s.delta without delta", stem)
		so.WriteString(o.str("delta"))
		return
	}
	item.full[place] = o.str(text.full)
	g.want(o.str(text.full) == so.String(), "block/full", "%s: %d bytes in deltas, %d at the end", text.done, so.Len(), len(o.str(text.full)))
}

func (g *responsesGrammar) itemDone(o object) {
	item := o.obj("item")
	g.opaque([]object{item})
	g.items = append(g.items, item)
	open := g.open
	if open == nil {
		g.fail("block/open", "end of item %v", o["output_index"])
		return
	}
	g.open = nil
	g.want(o.num("output_index") == open.index, "block/open", "end of item %v, open is %d", o["output_index"], open.index)
	g.want(item.str("id") == open.id && item.str("type") == open.kind, "id/same", "item %s %s, before %s %s", item.str("type"), item.str("id"), open.kind, open.id)
	g.want(open.part == "", "block/close", "item ends while part %s is open", open.part)
	for place := range open.texts {
		_, closed := open.full[place]
		g.want(closed, "block/close", "item ends before %s is done", place)
	}
	switch open.kind {
	case "function_call":
		g.want(item.str("call_id") != "" && item.str("name") != "", "tool/start", "want call_id and name")
		g.want(item.str("arguments") == open.full["arguments"], "block/full", "arguments differ at the item's end")
	case "custom_tool_call":
		g.want(item.str("input") == open.full["input"], "block/full", "input differs at the item's end")
	case "message":
		g.repeats(item, "content")
	case "reasoning":
		g.repeats(item, "summary")
		g.repeats(item, "content")
	}
	for list, n := range open.parts {
		g.want(int64(len(item.list(list))) == n, "block/full", "%d %s parts at the item's end, %d in the stream", len(item.list(list)), list, n)
	}
	g.full(item, open)
}

// repeats checks that the parts of a list are objects with a type.
func (g *responsesGrammar) repeats(item object, list string) {
	for i, part := range item.objs(list) {
		g.want(part.str("type") != "", "frame/dialect", "%s %d without type", list, i)
	}
}

// full checks that the closing item holds the text of every part.
func (g *responsesGrammar) full(item object, open *responsesItem) {
	for _, list := range []string{"content", "summary"} {
		for i, part := range item.objs(list) {
			place := fmt.Sprintf("%s %d", list, i)
			g.want(partText(part) == open.full[place], "block/full", "%s differs at the item's end", place)
		}
	}
}
