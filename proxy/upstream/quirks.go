package upstream

import (
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// A rewrite changes a finished body for one provider's peculiarity. Rewrites
// are named on the provider's row; codecs know none of them.
type rewrite struct {
	name string
	does string // for the reference
	run  func(body []byte) []byte
}

// rewrites is every quirk that works on the finished body. Those that work on
// the request before it is written live in dialect.Prepare: alternate,
// assistant_after_tool, short_call_ids; vertex is about the address.
var rewrites = []rewrite{
	{"no_stream_options", "leaves out stream_options, which the server refuses", func(b []byte) []byte { return without(b, "stream_options") }},
	{"no_store", "leaves out store, which the server refuses", func(b []byte) []byte { return without(b, "store") }},
	{"no_parallel_tool_calls", "leaves out parallel_tool_calls, which the server refuses", func(b []byte) []byte { return without(b, "parallel_tool_calls") }},
}

// rewriteBody applies the provider's rewrites.
func rewriteBody(p *proxy.Provider, body []byte) []byte {
	for _, q := range p.Quirks {
		for _, r := range rewrites {
			if r.name == q {
				body = r.run(body)
			}
		}
	}
	return body
}

// without removes one top-level member.
func without(body []byte, name string) []byte {
	doc, err := jsondoc.Parse(body)
	if err != nil {
		return body
	}
	var w jsondoc.Writer
	w.BeginObject()
	for key, v := range doc.Root().Fields() {
		if string(key) != name {
			w.KeyBytes(key)
			w.Raw(v.Raw())
		}
	}
	w.EndObject()
	return w.Bytes()
}
