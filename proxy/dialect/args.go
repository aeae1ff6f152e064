package dialect

import (
	"bytes"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// argsObject gives the arguments of a tool call as the JSON object that
// Anthropic, Gemini and Ollama want. Nothing at all is {}; an object inside a
// string, which some models write, is taken out of it. Anything else is kept as
// text under "_raw", and lossy is true. An object keeps its own bytes, so that
// key order and large numbers survive.
func argsObject(raw []byte) (obj []byte, lossy bool) {
	text := bytes.TrimSpace(raw)
	if len(text) == 0 || string(text) == "null" {
		return []byte("{}"), false
	}
	if doc, err := jsondoc.Parse(text); err == nil {
		switch root := doc.Root(); root.Kind() {
		case jsondoc.Object:
			return root.Raw(), false
		case jsondoc.String:
			inner := bytes.TrimSpace(jsondoc.AppendUnquoted(nil, root.Lit()))
			if len(inner) == 0 {
				return []byte("{}"), false
			}
			if in, err := jsondoc.Parse(inner); err == nil && in.Root().Kind() == jsondoc.Object {
				return in.Root().Raw(), false
			}
		}
	}
	return oneTextArg("_raw", raw), true
}

// callObject is argsObject for any call. The free text of a custom tool goes
// under the name that customSchema declares.
func callObject(c *proxy.Call) (obj []byte, lossy bool) {
	if c.Custom {
		return oneTextArg("input", c.Args), false
	}
	return argsObject(c.Args)
}

// customSchema declares a custom tool, which takes free text, where a dialect
// knows only tools with arguments.
var customSchema = []byte(`{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}`)

func oneTextArg(name string, text []byte) []byte {
	var w jsondoc.Writer
	w.BeginObject()
	w.Key(name)
	w.JSONString(text)
	w.EndObject()
	return w.Bytes()
}
