package dialect

import (
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// OllamaLoad answers a request without a prompt or messages, by which Ollama's
// callers have a model loaded before they need it, or unloaded with a keep_alive
// of 0. It is for providers that know neither, and would take it for a question.
// The answer is one object, for streams too.
func OllamaLoad(body []byte, c *Caller) ([]byte, bool) {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return nil, false
	}
	root := doc.Root()
	asks := root.Get("messages").Len() > 0
	if c.Generate {
		asks = !root.Get("prompt").Lit().Empty() || root.Get("images").Len() > 0 || !root.Get("suffix").Lit().Empty()
	}
	if asks {
		return nil, false
	}
	var w jsondoc.Writer
	w.BeginObject()
	writeOllamaHead(&w, c)
	if c.Generate {
		w.Str("response", "")
	} else {
		w.Key("message")
		w.BeginObject()
		w.Str("role", "assistant")
		w.Str("content", "")
		w.EndObject()
	}
	w.BoolField("done", true)
	reason := "load"
	if noTime(root.Get("keep_alive")) {
		reason = "unload"
	}
	w.Str("done_reason", reason)
	w.EndObject()
	return w.Bytes(), true
}

// noTime says whether a keep_alive, which is a number of seconds or a duration in
// Go's writing, is 0.
func noTime(v jsondoc.Value) bool {
	if n, ok := v.Float(); ok {
		return n == 0
	}
	d, err := time.ParseDuration(strings.TrimSpace(v.String()))
	return err == nil && d == 0
}
