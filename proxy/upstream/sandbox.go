package upstream

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
)

// SandboxID is the built-in provider that answers when no account is
// connected, so that the whole path can be tried without one.
const SandboxID = "sandbox"

// sandbox answers by itself: it says that it is the sandbox, and calls the
// first tool it is offered unless a result has come back already.
func (s *Sender) sandbox(in *proxy.Inbound, to *proxy.Candidate) (*proxy.Reply, error) {
	doc, err := jsondoc.Parse(in.Body)
	if err != nil {
		return nil, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err)
	}
	r := &proxy.Reply{Candidate: to, Status: 200}
	codec := dialect.For(in.Dialect)
	switch in.Op {
	case proxy.OpEmbed:
		e, ok := codec.(dialect.Embedder)
		if !ok {
			return nil, fault.New(fault.NotOffered, "this dialect has no embeddings")
		}
		req, err := e.DecodeEmbed(doc, in.Variant, pathModel(in))
		if err != nil {
			return nil, err
		}
		r.Vectors = sandboxVectors(req)
		return r, nil
	case proxy.OpCount:
		req, err := codec.DecodeRequest(doc, proxy.OpCount, pathModel(in))
		if err != nil {
			return nil, err
		}
		return s.estimate(req, to), nil
	case proxy.OpGenerate, proxy.OpComplete:
	default:
		return nil, fault.New(fault.NotOffered, "the sandbox has no operation %q", in.Op)
	}
	req, err := codec.DecodeRequest(doc, in.Op, pathModel(in))
	if err != nil {
		return nil, err
	}
	req.Stream = in.Stream
	a := sandboxAnswer(req)
	a.Usage.Input = s.estimate(req, to).Tokens
	a.Model = to.Model.ID
	r.Request = req
	if req.Stream {
		r.Events = &canned{answer: a}
	} else {
		r.Answer = a
	}
	return r, nil
}

const sandboxText = "This is KorProxy's built-in sandbox, not a model: your request reached the proxy and this answer came back the same way. " +
	"Connect a provider with 'korproxy accounts add PROVIDER --name default --key-stdin', and the same address answers with its models."

func sandboxAnswer(r *proxy.Request) *proxy.Answer {
	a := &proxy.Answer{ID: "sandbox", Finish: proxy.Finish{Reason: proxy.ReasonStop}}
	answered := len(r.Turns) > 0 && r.Turns[len(r.Turns)-1].Role == proxy.RoleTool
	switch {
	case r.Choice.Mode != proxy.ChoiceNone && !answered && sandboxTool(r) != nil:
		tool := sandboxTool(r)
		a.Parts = append(a.Parts,
			proxy.Part{Kind: proxy.PartText, Text: jsondoc.Quote("This is KorProxy's built-in sandbox. It calls the tool " + tool.Name + " to show the loop.")},
			proxy.Part{Kind: proxy.PartToolCall, Call: &proxy.Call{ID: "call_sandbox1", Name: tool.Name, Custom: tool.Custom, Args: sampleArgs(tool.Schema)}})
		a.Finish.Reason = proxy.ReasonToolCalls
	case r.Format.Kind == "schema":
		a.Parts = append(a.Parts, proxy.Part{Kind: proxy.PartText, Text: jsondoc.QuoteBytes(sampleArgs(r.Format.Schema))})
	case r.Format.Kind == "json":
		a.Parts = append(a.Parts, proxy.Part{Kind: proxy.PartText, Text: jsondoc.Quote(`{"sandbox":true,"message":"This is KorProxy's built-in sandbox."}`)})
	default:
		a.Parts = append(a.Parts, proxy.Part{Kind: proxy.PartText, Text: jsondoc.Quote(sandboxText)})
	}
	a.Usage = proxy.Usage{Output: 40, Known: true}
	return a
}

// sandboxTool is the tool the sandbox calls: the forced one, else the first.
func sandboxTool(r *proxy.Request) *proxy.Tool {
	for i := range r.Tools {
		t := &r.Tools[i]
		if t.Hosted == "" && (r.Choice.Mode != proxy.ChoiceTool || t.Name == r.Choice.Names[0]) {
			return t
		}
	}
	return nil
}

// sampleArgs makes the smallest value that fits a schema's plain parts.
func sampleArgs(schema []byte) []byte {
	doc, err := jsondoc.Parse(schema)
	if err != nil {
		return []byte("{}")
	}
	b, err := json.Marshal(sample(doc.Root(), 0))
	if err != nil {
		return []byte("{}")
	}
	return b
}

func sample(schema jsondoc.Value, depth int) any {
	if enum := schema.Get("enum"); enum.Len() > 0 {
		return json.RawMessage(enum.Index(0).Raw())
	}
	kind := schema.Get("type").String()
	if kind == "" {
		kind = schema.Get("type").Index(0).String()
	}
	switch strings.ToLower(kind) {
	case "string":
		return "sandbox"
	case "integer", "number":
		if n := schema.Get("minimum"); n.Exists() {
			return json.RawMessage(n.Raw())
		}
		return 1
	case "boolean":
		return true
	case "array":
		if schema.Get("minItems").Exists() && depth < 8 {
			return []any{sample(schema.Get("items"), depth+1)}
		}
		return []any{}
	case "null":
		return nil
	}
	out := map[string]any{}
	if depth < 8 {
		for _, name := range schema.Get("required").Elems() {
			key := name.String()
			out[key] = sample(schema.Get("properties").Get(key), depth+1)
		}
	}
	return out
}

// sandboxVectors are unit vectors that depend on the text's length only.
func sandboxVectors(e *proxy.Embedding) *proxy.Vectors {
	const size = 8
	n := int(e.Dimensions)
	if n <= 0 || n > 4096 {
		n = size
	}
	v := &proxy.Vectors{Model: SandboxID}
	for _, in := range e.Inputs {
		b := []byte{'['}
		for i := range n {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(boolToInt(i == len(in)%n)), 10)
		}
		v.Items = append(v.Items, proxy.Vector{JSON: append(b, ']')})
		v.Tokens += int64(len(in)/4 + 1)
	}
	return v
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// canned streams a ready answer, its text word by word.
type canned struct {
	answer *proxy.Answer
	given  bool
}

func (c *canned) Next(yield func(*proxy.Event) error) error {
	if c.given {
		return io.EOF
	}
	c.given = true
	return dialect.Unfold(c.answer, func(e *proxy.Event) error {
		if e.Kind != proxy.EventDelta || e.Part != proxy.PartText {
			return yield(e)
		}
		for word := range strings.SplitAfterSeq(e.Text.String(), " ") {
			d := *e
			d.Text = jsondoc.Quote(word)
			if err := yield(&d); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *canned) Usage() proxy.Usage { return c.answer.Usage }
