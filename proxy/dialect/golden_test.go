package dialect

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldens are the features whose translation is written down for every ordered
// pair of dialects. A request is told in Anthropic's dialect, whose form in the
// others is part of the golden too; an answer in events, as every provider
// sends it in its own form.
var goldens = []struct {
	name    string
	request string
	target  func(*Target)
	answer  *proxy.Answer
	fail    *fault.Error // sent in place of an answer's end
	cut     bool         // the provider's stream breaks off before its end
	status  int          // fail comes with this HTTP status in place of an answer
}{
	{
		name: "text", request: `{"model":"m","max_tokens":100,"temperature":0.5,"stop_sequences":["END"],"system":"Be short.","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."},{"role":"user","content":"Who are you?"}]}`,
		answer: said("A model."),
	},
	{
		name: "tools", request: `{"model":"m","max_tokens":100,"tool_choice":{"type":"tool","name":"read"},"tools":[{"name":"read","description":"Reads a file","input_schema":{"type":"object","properties":{"path":{"type":"string"}},"required":["path"]}}],"messages":[{"role":"user","content":"Read a"}]}`,
		answer: said("I read it.", callOf(proxy.Call{ID: "call_1", Name: "read", Args: []byte(`{"path":"a"}`)})),
	},
	{
		name: "parallel-tools", request: claudeLoop(claudeUse("call_1", `{"a":1}`)+","+claudeUse("call_2", "{}"), useResult("call_2", `"two"`)+","+`{"type":"tool_result","tool_use_id":"call_1","content":"one","is_error":true},{"type":"text","text":"and?"}`),
		answer: said("", callOf(proxy.Call{ID: "call_1", Name: "f", Args: []byte(`{"a":1}`)}), callOf(proxy.Call{ID: "call_2", Name: "f", Args: []byte(`{}`)})),
	},
	{name: "images", request: claudeLoop(claudeUse("call_1", "{}"), useResult("call_1", `[{"type":"text","text":"see"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]`)+`,{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}},{"type":"text","text":"what is it?"}`)},
	{name: "pdf", request: `{"model":"m","max_tokens":100,"messages":[{"role":"user","content":[{"type":"document","title":"a.pdf","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}},{"type":"text","text":"sum it up"}]}]}`},
	{
		name: "structured", request: `{"model":"m","max_tokens":100,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}}},"messages":[{"role":"user","content":"one"}]}`,
		answer: said(`{"n":1}`),
	},
	{
		name: "structured-by-tool", request: `{"model":"m","max_tokens":100,"output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"n":{"type":"integer"}}}}},"messages":[{"role":"user","content":"one"}]}`,
		target: policy(proxy.Policy{NoSchema: true}),
	},
	{
		name: "reasoning", request: `{"model":"m","max_tokens":4000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"Why?"}]}`,
		answer: said("So.", proxy.Part{Kind: proxy.PartReasoning, Text: lit("hm")}),
	},
	{name: "cached-usage", answer: &proxy.Answer{ID: "x", Parts: textOf("a"), Finish: proxy.Finish{Reason: proxy.ReasonStop}, Usage: proxy.Usage{Input: 100, CacheRead: 40, CacheWrite: 10, Output: 20, Reasoning: 5, Known: true}}},
	{name: "stop-length", answer: &proxy.Answer{ID: "x", Parts: textOf("a"), Finish: proxy.Finish{Reason: proxy.ReasonLength}, Usage: proxy.Usage{Input: 5, Output: 7, Known: true}}},
	{name: "stop-refusal", answer: &proxy.Answer{ID: "x", Parts: textOf("a"), Finish: proxy.Finish{Reason: proxy.ReasonRefusal}, Usage: proxy.Usage{Input: 5, Output: 7, Known: true}}},
	{name: "error-midway", answer: said("Half an"), fail: fault.New(fault.UpstreamBusy, "overloaded")},
	{name: "error-first", fail: fault.New(fault.RateLimit, "slow down"), status: 429},
	{name: "error-first-busy", fail: fault.New(fault.UpstreamBusy, "overloaded"), status: 503},
	{name: "truncated", answer: said("Half an"), cut: true},
}

// said is an answer of a text after these parts that are no calls and before
// those that are.
func said(text string, parts ...proxy.Part) *proxy.Answer {
	a := &proxy.Answer{ID: "x", Finish: proxy.Finish{Reason: proxy.ReasonStop}, Usage: proxy.Usage{Input: 5, Output: 7, Known: true}}
	for _, p := range parts {
		if p.Call == nil {
			a.Parts = append(a.Parts, p)
		}
	}
	if text != "" {
		a.Parts = append(a.Parts, textPart(text))
	}
	for _, p := range parts {
		if p.Call != nil {
			a.Parts = append(a.Parts, p)
			a.Finish.Reason = proxy.ReasonToolCalls
		}
	}
	return a
}

// TestGoldens compares what each feature becomes between each two dialects.
// What is the same from several dialects is written down once.
func TestGoldens(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			found := &golden{}
			change := func(*Target) {}
			if g.target != nil {
				change = g.target
			}
			for _, from := range fiveDialects {
				for _, d := range fiveDialects {
					if from == d {
						continue
					}
					if g.request != "" {
						body := []byte(g.request)
						if from != am {
							body = translate(t, am, g.request, to(from)).body
						}
						m := translate(t, from, string(body), to(d, change))
						found.add("request", d, from, indented(t, m.body)+lossLines(m.losses))
					}
					c := callerOf(d)
					if g.status != 0 {
						found.add("error", d, from, indented(t, goldenError(from, c, g.fail, g.status)))
					}
					if g.answer == nil {
						continue
					}
					found.add("stream", d, from, string(goldenStream(from, c, g.answer, g.fail, g.cut)))
					if g.fail == nil && !g.cut {
						found.add("answer", d, from, indented(t, goldenAnswer(t, from, c, g.answer)))
					}
				}
			}
			found.compare(t, filepath.Join("testdata", "golden", g.name+".txtar"))
		})
	}
}

// goldenStream is a provider's stream of an answer as the caller gets it.
func goldenStream(from proxy.Dialect, c *Caller, a *proxy.Answer, fail *fault.Error, cut bool) []byte {
	provider := callerOf(from)
	provider.Model, provider.ID = "upstream", "theirs"
	seq := NewSequencer(For(from).NewEncoder(provider))
	var wire []byte
	// The memory that takes the events has no use for an error.
	_ = Unfold(a, func(e *proxy.Event) error {
		switch {
		case e.Kind == proxy.EventFinish && fail != nil:
			wire = seq.Event(wire, &proxy.Event{Kind: proxy.EventError, Err: fail})
		case e.Kind == proxy.EventPartEnd && (fail != nil || cut), e.Kind == proxy.EventFinish && cut:
		default:
			wire = seq.Event(wire, e)
		}
		return nil
	})
	if !cut {
		wire = seq.Close(wire)
	}
	out, _ := streamThrough(For(from), c, NewReturn(&Prepared{}, c, proxy.Origin{Dialect: from}, nil), "text/event-stream", wire, 1<<20)
	return out
}

func goldenAnswer(t *testing.T, from proxy.Dialect, c *Caller, a *proxy.Answer) []byte {
	var w jsondoc.Writer
	provider := callerOf(from)
	provider.Model, provider.ID = "upstream", "theirs"
	For(from).EncodeAnswer(&w, a, provider)
	return whole(t, from, c.Dialect, string(w.Bytes())).wire
}

// goldenError is a provider's error reply as the caller gets it.
func goldenError(from proxy.Dialect, c *Caller, fail *fault.Error, status int) []byte {
	var theirs, ours jsondoc.Writer
	For(from).EncodeError(&theirs, fail, callerOf(from))
	For(c.Dialect).EncodeError(&ours, For(from).DecodeError(status, theirs.Bytes()), c)
	return ours.Bytes()
}

func indented(t *testing.T, body []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", " "); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return b.String() + "\n"
}

func lossLines(losses []proxy.Loss) string {
	var b strings.Builder
	for _, l := range losses {
		b.WriteString(strings.TrimSuffix("loss: "+l.Field+"; "+l.Note, "; ") + "\n")
	}
	return b.String()
}

// golden is what was found, each output with the dialects it comes from.
type golden struct{ files []txtar.File }

func (g *golden) add(kind string, to, from proxy.Dialect, data string) {
	prefix := kind + " to " + string(to) + " from "
	data = strings.TrimRight(data, "\n") + "\n"
	for i, f := range g.files {
		if strings.HasPrefix(f.Name, prefix) && string(f.Data) == data {
			g.files[i].Name += ", " + string(from)
			return
		}
	}
	g.files = append(g.files, txtar.File{Name: prefix + string(from), Data: []byte(data)})
}

func (g *golden) compare(t *testing.T, path string) {
	t.Helper()
	slices.SortStableFunc(g.files, func(a, b txtar.File) int { return strings.Compare(a.Name, b.Name) })
	got := txtar.Format(&txtar.Archive{Files: g.files})
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -run TestGoldens -update writes it", err)
	}
	want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); d != "" {
		t.Errorf("written down -, made +; after a look at each, go test -run TestGoldens -update\n%s", d)
	}
}
