package dialect

import (
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// ollamaCodec is Ollama's own API (https://docs.ollama.com/api), in which
// /api/chat answers conversations and /api/generate completes text.
type ollamaCodec struct{}

var (
	_ Codec    = ollamaCodec{}
	_ Embedder = ollamaCodec{}
	_ Lister   = ollamaCodec{}
)

func (ollamaCodec) Dialect() proxy.Dialect { return proxy.Ollama }

func (ollamaCodec) Path(op proxy.Op, _ string, _ bool) string {
	switch op {
	case proxy.OpGenerate:
		return "/api/chat"
	case proxy.OpComplete:
		return "/api/generate"
	case proxy.OpEmbed:
		return "/api/embed"
	}
	return ""
}

func (ollamaCodec) NewFramer(string) Framer { return NewLines() }

func (ollamaCodec) DecodeError(status int, body []byte) *fault.Error { return readError(status, body) }

func (ollamaCodec) EncodeError(w *jsondoc.Writer, e *fault.Error, _ *Caller) {
	w.BeginObject()
	w.Str("error", e.Text())
	w.EndObject()
}

func (ollamaCodec) Usage(doc *jsondoc.Doc) (proxy.Usage, bool) { return ollamaUsage(doc.Root()) }

// ollamaUsage reads the counts of the last line. The one of the prompt is left
// out where all of it was in the cache.
func ollamaUsage(root jsondoc.Value) (proxy.Usage, bool) {
	read, written := root.Get("prompt_eval_count"), root.Get("eval_count")
	if !read.Exists() && !written.Exists() {
		return proxy.Usage{}, false
	}
	return proxy.Usage{Known: true, Input: count(read), Output: count(written)}, true
}

// ollamaReason reads done_reason, which old servers do not give.
func ollamaReason(v jsondoc.Value) proxy.Reason {
	switch {
	case v.Equal("length"):
		return proxy.ReasonLength
	case v.Equal("load"), v.Equal("unload"):
		return proxy.ReasonOther
	}
	return proxy.ReasonStop
}

// ollamaDone is the done_reason of an answer; the dialect has two words.
func ollamaDone(r proxy.Reason) string {
	if r == proxy.ReasonLength || r == proxy.ReasonContextFull {
		return "length"
	}
	return "stop"
}

// ollamaTime is the time of a line.
func ollamaTime(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339Nano) }

// writeOllamaHead writes what every line begins with.
func writeOllamaHead(w *jsondoc.Writer, c *Caller) {
	w.Str("model", c.Model)
	w.Str("created_at", ollamaTime(c.Created))
}

// writeOllamaEnd writes what the last line ends with. Durations are those of
// the server that ran the model, which is not known here.
func writeOllamaEnd(w *jsondoc.Writer, r proxy.Reason, u proxy.Usage) {
	w.BoolField("done", true)
	w.Str("done_reason", ollamaDone(r))
	w.IntField("total_duration", 0)
	w.IntField("load_duration", 0)
	w.IntField("prompt_eval_count", u.Input)
	w.IntField("prompt_eval_duration", 0)
	w.IntField("eval_count", u.Output)
	w.IntField("eval_duration", 0)
}
