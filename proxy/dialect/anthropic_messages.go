package dialect

import (
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

func (d *anthropicReader) messages(v jsondoc.Value) error {
	if v.Kind() != jsondoc.Array {
		return wrongKind("messages", "an array")
	}
	d.r.Turns = make([]proxy.Turn, 0, v.Len()+4)
	for i, m := range v.Elems() {
		field := "messages[" + strconv.Itoa(i) + "]"
		if m.Kind() != jsondoc.Object {
			return wrongKind(field, "an object")
		}
		content := m.Get("content")
		if content.IsNull() {
			return wrongKind(field+".content", "a string or an array")
		}
		parts, err := anthropicContent(content, field+".content")
		if err != nil {
			return err
		}
		switch role := m.Get("role"); {
		case role.Equal("user"):
			d.user(parts)
		case role.Equal("assistant"):
			d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleAssistant, Parts: parts})
		case role.Equal("system"):
			d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleSystem, Parts: parts})
		case role.Kind() == jsondoc.String:
			return wrongKind(field+".role", `"user", "assistant" or "system"`)
		default:
			return wrongKind(field+".role", "a string")
		}
	}
	return nil
}

// user adds a user message: its tool results as a turn of their own, and the
// rest after them.
func (d *anthropicReader) user(parts []proxy.Part) {
	var results, rest []proxy.Part
	for _, p := range parts {
		if p.Kind == proxy.PartToolResult {
			results = append(results, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(results) > 0 {
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleTool, Parts: results})
	}
	if len(rest) > 0 || len(results) == 0 {
		d.r.Turns = append(d.r.Turns, proxy.Turn{Role: proxy.RoleUser, Parts: rest})
	}
}

// anthropicContent reads a text or a list of blocks.
func anthropicContent(v jsondoc.Value, field string) ([]proxy.Part, error) {
	switch v.Kind() {
	case jsondoc.String:
		if v.Lit().Empty() {
			return nil, nil
		}
		return []proxy.Part{{Kind: proxy.PartText, Text: v.Lit()}}, nil
	case jsondoc.Array:
	default:
		return nil, wrongKind(field, "a string or an array")
	}
	parts := make([]proxy.Part, 0, v.Len())
	for i, b := range v.Elems() {
		part, err := anthropicBlock(b, field, i)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// anthropicBlock reads the block at a place of a list. A block of a kind that
// this codec does not know stays whole, for its maker.
func anthropicBlock(b jsondoc.Value, list string, i int) (proxy.Part, error) {
	field := func(name string) string { return list + "[" + strconv.Itoa(i) + "]" + name }
	if b.Kind() != jsondoc.Object {
		return proxy.Part{}, wrongKind(field(""), "an object")
	}
	part := proxy.Part{Cache: cacheMark(b.Get("cache_control"))}
	var err error
	switch kind := b.Get("type"); {
	case kind.Equal("text"):
		part.Kind, part.Text = proxy.PartText, b.Get("text").Lit()
		if part.Text == nil {
			return part, wrongKind(field(".text"), "a string")
		}
		if b.Get("citations").Len() > 0 {
			part.Raw, part.Origin = b.Raw(), proxy.AnthropicMessages
		}
	case kind.Equal("thinking"):
		part.Kind, part.Text, part.Cache = proxy.PartReasoning, b.Get("thinking").Lit(), nil
		if part.Text == nil {
			return part, wrongKind(field(".thinking"), "a string")
		}
		part.Opaque = anthropicSignature(b.Get("signature"))
	case kind.Equal("redacted_thinking"):
		part.Kind, part.Cache = proxy.PartReasoning, nil
		part.Opaque = anthropicOpaque("redacted", b.Get("data").String())
	case kind.Equal("tool_use"):
		part.Kind = proxy.PartToolCall
		part.Call = &proxy.Call{ID: b.Get("id").String(), Name: b.Get("name").String()}
		if input := b.Get("input"); !input.IsNull() {
			part.Call.Args = input.Raw()
		}
		if part.Call.Name == "" {
			err = wrongKind(field(".name"), "a string")
		}
	case kind.Equal("tool_result"):
		part.Kind = proxy.PartToolResult
		part.Result, err = anthropicResult(b, field)
		hoistMark(&part)
	case kind.Equal("image"), kind.Equal("document"):
		part.Kind = proxy.PartImage
		if kind.Equal("document") {
			part.Kind = proxy.PartFile
		}
		err = anthropicMedia(&part, b, field(".source"))
	case kind.Equal("search_result"):
		part.Kind, part.Text = proxy.PartText, searchResultText(b)
		part.Raw, part.Origin = b.Raw(), proxy.AnthropicMessages
	case kind.Kind() == jsondoc.String:
		part = proxy.Part{Kind: proxy.PartServer, Raw: b.Raw(), Origin: proxy.AnthropicMessages}
	default:
		err = wrongKind(field(".type"), "a string")
	}
	return part, err
}

// anthropicSignature is what makes thinking readable to its maker. Callers
// that change models in mid-conversation put other vendors' data in its place:
// what begins like OpenAI's encrypted reasoning, and placeholders, is none.
func anthropicSignature(v jsondoc.Value) *proxy.Opaque {
	sig := v.String()
	if strings.HasPrefix(sig, "gAAAA") || sig == skipSignature {
		return nil
	}
	return anthropicOpaque("signature", sig)
}

func anthropicOpaque(kind, data string) *proxy.Opaque {
	if data == "" {
		return nil
	}
	return &proxy.Opaque{Kind: kind, Data: data, Origin: proxy.Origin{Dialect: proxy.AnthropicMessages}}
}

func anthropicResult(b jsondoc.Value, field func(string) string) (*proxy.Result, error) {
	res := &proxy.Result{IsError: isTrue(b.Get("is_error"))}
	if err := stringField(&res.CallID, field(".tool_use_id"), b.Get("tool_use_id")); err != nil {
		return nil, err
	}
	var err error
	if content := b.Get("content"); !content.IsNull() {
		res.Parts, err = anthropicContent(content, field(".content"))
	}
	return res, err
}

// hoistMark makes a cache mark inside of a result one on the result, which
// ends in the same place.
func hoistMark(part *proxy.Part) {
	if part.Result == nil {
		return
	}
	for i := range part.Result.Parts {
		in := &part.Result.Parts[i]
		if in.Cache != nil {
			part.Cache, in.Cache = in.Cache, nil
		}
	}
}

// anthropicMedia reads an image or a document. A document's block is kept for
// Anthropic's own models, where it has more than a source: context, citations,
// or content made of blocks.
func anthropicMedia(part *proxy.Part, b jsondoc.Value, field string) error {
	src := b.Get("source")
	if src.Kind() != jsondoc.Object {
		return wrongKind(field, "an object")
	}
	m := &proxy.Media{MIME: src.Get("media_type").String(), Title: b.Get("title").String()}
	part.Media = m
	var err error
	switch kind := src.Get("type"); {
	case kind.Equal("base64"):
		if src.Get("data").Kind() != jsondoc.String {
			return wrongKind(field+".data", "a string")
		}
		m.Data = plainBytes(src.Get("data"))
	case kind.Equal("url"):
		err = stringField(&m.URL, field+".url", src.Get("url"))
		if part.Kind == proxy.PartFile {
			m.MIME = "application/pdf" // the only kind it follows links to
		}
	case kind.Equal("file"):
		err = stringField(&m.FileID, field+".file_id", src.Get("file_id"))
	case kind.Equal("text"):
		if m.Text = src.Get("data").Lit(); m.Text == nil {
			err = wrongKind(field+".data", "a string")
		}
	case kind.Equal("content"):
		m.Text = blocksText(src.Get("content"))
	default:
		err = wrongKind(field+".type", "base64, url, file, text or content")
	}
	if src.Get("type").Equal("content") || !b.Get("context").IsNull() || !b.Get("citations").IsNull() {
		part.Raw, part.Origin = b.Raw(), proxy.AnthropicMessages
	}
	return err
}

// blocksText is the text of a string or of a list of text blocks.
func blocksText(v jsondoc.Value) jsondoc.Lit {
	if v.Kind() == jsondoc.String {
		return v.Lit()
	}
	texts := []jsondoc.Lit{jsondoc.Quote("")}
	for _, b := range v.Elems() {
		if text := b.Get("text").Lit(); text != nil {
			if len(texts) > 1 {
				texts = append(texts, jsondoc.Quote("\n\n"))
			}
			texts = append(texts, text)
		}
	}
	return jsondoc.JoinLits("", texts...)
}

// searchResultText is a search result as a model of another vendor reads it.
func searchResultText(b jsondoc.Value) jsondoc.Lit {
	return jsondoc.JoinLits("\n", b.Get("title").Lit(), b.Get("source").Lit(), blocksText(b.Get("content")))
}
