package dialect

import (
	"bytes"
	"slices"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// itemMark begins the ids of Responses items that this proxy made for answers
// of other vendors. No provider knows them.
const itemMark = "rs_kp"

// OwnMarks takes out of a body that is otherwise passed on unread what only
// this proxy can have put into the conversation: reasoning of another vendor,
// shown to the caller without the maker's signature, which the caller's own
// vendor would refuse. ok is false when there is none and body is unchanged.
func OwnMarks(d proxy.Dialect, body []byte) (out []byte, ok bool) {
	switch d {
	case proxy.AnthropicMessages:
		if !bytes.Contains(body, []byte(`"thinking"`)) {
			return body, false
		}
		return cutItems(body, "messages", func(part jsondoc.Value) bool {
			return part.Get("type").Equal("thinking") && part.Get("signature").String() == ""
		})
	case proxy.OpenAIResponses:
		if !bytes.Contains(body, []byte(`"`+itemMark)) {
			return body, false
		}
		return cutItems(body, "input", func(item jsondoc.Value) bool {
			return item.Get("type").Equal("reasoning") && bytes.HasPrefix(item.Get("id").Lit(), []byte(`"`+itemMark))
		})
	}
	return body, false
}

// StripReasoning takes all reasoning that only its maker can read out of a
// body, for a provider that has said it cannot read it.
func StripReasoning(d proxy.Dialect, body []byte) (out []byte, ok bool) {
	switch d {
	case proxy.AnthropicMessages:
		out, ok = cutItems(body, "messages", func(part jsondoc.Value) bool {
			return part.Get("type").Equal("thinking") || part.Get("type").Equal("redacted_thinking")
		})
		if ok {
			out = withoutThinking(out)
		}
		return out, ok
	case proxy.OpenAIResponses:
		return cutItems(body, "input", func(item jsondoc.Value) bool { return item.Get("type").Equal("reasoning") })
	}
	return body, false
}

// withoutThinking turns thinking off in an Anthropic request: with it on, a tool
// call must be led by the thinking that was just taken out.
func withoutThinking(body []byte) []byte {
	var edits []jsondoc.Edit
	err := jsondoc.Scan(body, func(key []byte, start, end int) bool {
		if string(key) == "thinking" {
			edits = append(edits, jsondoc.Edit{Start: start, End: end, With: []byte(`{"type":"disabled"}`)})
		}
		return true
	})
	if err != nil {
		return body
	}
	return jsondoc.Splice(body, edits...)
}

// cutItems removes the elements that drop chooses from the list named field,
// and from the content lists of its elements. A message that loses all of its
// content is removed too.
func cutItems(body []byte, field string, drop func(jsondoc.Value) bool) ([]byte, bool) {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return body, false
	}
	var edits []jsondoc.Edit
	list := doc.Root().Get(field)
	if list.Kind() != jsondoc.Array {
		return body, false
	}
	cutElems(list, func(item jsondoc.Value) bool {
		if drop(item) {
			return true
		}
		content := item.Get("content")
		if content.Kind() != jsondoc.Array || content.Len() == 0 {
			return false
		}
		all := true
		for _, part := range content.Elems() {
			all = all && drop(part)
		}
		if all {
			return true
		}
		cutElems(content, drop, &edits)
		return false
	}, &edits)
	if len(edits) == 0 {
		return body, false
	}
	slices.SortFunc(edits, func(a, b jsondoc.Edit) int { return a.Start - b.Start })
	return jsondoc.Splice(body, edits...), true
}

// cutElems adds the edits that remove elements of a list, each run of them
// with the commas that go with it. Elements that stay keep their own bytes.
func cutElems(list jsondoc.Value, drop func(jsondoc.Value) bool, edits *[]jsondoc.Edit) {
	end := -1   // end of the last element that stays
	start := -1 // start of the first element of the run being removed
	last := -1  // its end so far
	for _, v := range list.Elems() {
		from, to := v.Offset(), v.Offset()+len(v.Raw())
		switch {
		case drop(v):
			if start < 0 {
				start = from
			}
			last = to
		case start >= 0 && end < 0: // the list began with the run
			*edits = append(*edits, jsondoc.Edit{Start: start, End: from})
			start, end = -1, to
		case start >= 0:
			*edits = append(*edits, jsondoc.Edit{Start: end, End: last})
			start, end = -1, to
		default:
			end = to
		}
	}
	if start >= 0 {
		if end >= 0 {
			start = end
		}
		*edits = append(*edits, jsondoc.Edit{Start: start, End: last})
	}
}
