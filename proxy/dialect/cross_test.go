package dialect

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// pairs runs a test for every ordered pair of different dialects.
func pairs(t *testing.T, run func(t *testing.T, from, to proxy.Dialect)) {
	for _, from := range fiveDialects {
		for _, to := range fiveDialects {
			if from != to {
				t.Run(string(from)+" to "+string(to), func(t *testing.T) {
					t.Parallel()
					run(t, from, to)
				})
			}
		}
	}
}

// answered is the recordings of a dialect that hold one whole answer.
func answered(t testing.TB, d proxy.Dialect) proxytest.Corpus {
	t.Helper()
	return proxytest.Load(t).Dialect(string(d)).Filter(func(x proxytest.Exchange) bool {
		return x.Flaw() == "" && x.Response.Status == 200 && len(x.Wire()) > 0
	})
}

func contentType(x proxytest.Exchange) string {
	if ct := x.Response.Header.Get("Content-Type"); ct != "" {
		return ct
	}
	return map[string]string{"sse": "text/event-stream", "ndjson": "application/x-ndjson", "json-array": "application/json"}[x.Response.StreamFormat]
}

// TestCrossStreams serves every recorded stream to callers of every other
// dialect.
func TestCrossStreams(t *testing.T) {
	pairs(t, func(t *testing.T, from, to proxy.Dialect) {
		for _, x := range answered(t, from).Streams() {
			c := callerOf(to)
			back := NewReturn(&Prepared{Names: Names{}}, c, proxy.Origin{Dialect: from, Provider: x.Provider}, nil)
			out, _ := streamThrough(For(from), c, back, contentType(x), x.Wire(), 512)
			want, err := proxytest.Summarize(string(from), x.Wire())
			if err != nil {
				t.Errorf("%s: %v", x.ID, err)
				continue
			}
			if err := proxytest.ValidateStream(string(to), out, crossIgnores(to, want)...); err != nil {
				t.Errorf("%s: %v", x.ID, err)
			}
			sameAnswer(t, x.ID, from, to, want, out)
		}
	})
}

// TestCrossAnswers does the same with answers that are not streamed.
func TestCrossAnswers(t *testing.T) {
	pairs(t, func(t *testing.T, from, to proxy.Dialect) {
		for _, x := range answered(t, from).Filter(func(x proxytest.Exchange) bool { return !x.Stream }) {
			c := callerOf(to)
			c.Stream = false
			var w jsondoc.Writer
			a, err := For(from).DecodeAnswer(parsed(t, x.Wire()))
			if err != nil {
				For(to).EncodeError(&w, fault.As(err), c)
			} else {
				NewReturn(&Prepared{Names: Names{}}, c, proxy.Origin{Dialect: from}, nil).Answer(a)
				For(to).EncodeAnswer(&w, a, c)
			}
			want, err := proxytest.Summarize(string(from), x.Wire())
			if err != nil {
				t.Errorf("%s: %v", x.ID, err)
				continue
			}
			sameAnswer(t, x.ID, from, to, want, w.Bytes())
		}
	})
}

// crossIgnores are the rules that a translated stream may break: thinking of
// another vendor has no signature, and a call cut off by the limit no end.
func crossIgnores(to proxy.Dialect, want proxytest.Summary) []string {
	var out []string
	if to == am {
		out = append(out, "block/sign")
	}
	if want.Stop == proxytest.StopLength {
		out = append(out, "tool/input")
	}
	return out
}

// sameAnswer compares what a provider said with what the caller hears.
func sameAnswer(t *testing.T, id string, from, to proxy.Dialect, said proxytest.Summary, out []byte) {
	t.Helper()
	heard, err := proxytest.Summarize(string(to), out)
	if err != nil {
		t.Errorf("%s: %v\n%s", id, err, out)
		return
	}
	switch {
	case said.Error != "":
		if heard.Error == "" || heard.Stop != "" {
			t.Errorf("%s: the error %q became %+v", id, said.Error, heard)
		}
		return
	case said.Stop == "" && heard.Error != "": // not whole, or still in the making
		return
	}
	want, got := plainly(said), plainly(heard)
	if doubled[id] {
		want.Text = got.Text
	}
	asCounted(&want.Usage, got.Usage, from)
	asHeard(&want, said, from, to)
	for i, c := range want.ToolCalls { // a stream passes on what the limit cut off
		if to == am && said.Stop == proxytest.StopLength && i < len(got.ToolCalls) && got.ToolCalls[i].Args == said.ToolCalls[i].Args {
			c.Args = said.ToolCalls[i].Args
			want.ToolCalls[i] = c
		}
	}
	if said.Commentary != "" && to != rs { // it is shown as thinking, or as text where that is usual
		if sent, shown := said.Text+said.Reasoning+said.Commentary, got.Text+got.Reasoning; jumbled(dense(sent)) != jumbled(dense(shown)) {
			t.Errorf("%s: said with commentary %q, heard %q", id, sent, shown)
		}
		want.Text, want.Reasoning, want.Commentary = got.Text, got.Reasoning, ""
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: said -, heard +\n%s", id, d)
	}
	for i := range min(len(said.ToolCalls), len(heard.ToolCalls)) {
		if sent := said.ToolCalls[i].ID; sent != "" && to != gm && to != ol && heard.ToolCalls[i].ID != SafeCallID(to, sent) {
			t.Errorf("%s: the call %q is %q to the caller", id, sent, heard.ToolCalls[i].ID)
		}
	}
}

// doubled are recordings whose chunks say each text twice, as chat and as
// completion.
var doubled = map[string]bool{"openai-chat-together-2185fb6ae7": true}

// plainly leaves out what is compared otherwise or by nobody: ids, spaces
// between paragraphs of reasoning, the stop sequence that only Anthropic tells,
// and the blocks of hosted tools, which run only at their vendor.
func plainly(s proxytest.Summary) proxytest.Summary {
	s.Choices, s.ErrorCode, s.Error, s.Other, s.StopText = 0, "", "", nil, ""
	s.Reasoning = dense(s.Reasoning)
	calls := make([]proxytest.ToolCall, len(s.ToolCalls))
	for i, c := range s.ToolCalls {
		c.ID = ""
		calls[i] = c
	}
	s.ToolCalls = calls
	return s
}

// asHeard changes what was said to how the dialect of the caller can say it.
func asHeard(want *proxytest.Summary, said proxytest.Summary, from, to proxy.Dialect) {
	if to == am || to == gm || to == ol {
		for i, c := range want.ToolCalls { // objects only
			if !strings.HasPrefix(c.Args, "{") || !json.Valid([]byte(c.Args)) {
				obj, _ := argsObject([]byte(c.Args))
				if custom := strings.HasPrefix(c.Args, `"`); custom && (from == rs || from == cc) {
					obj, _ = callObject(&proxy.Call{Custom: true, Args: jsondoc.AppendUnquoted(nil, jsondoc.Lit(c.Args))})
				}
				want.ToolCalls[i].Args = string(obj)
			}
		}
		want.Text, want.Refusal = want.Text+said.Refusal, ""
	}
	switch {
	case want.Stop == proxytest.StopPause:
		want.Stop = proxytest.StopEnd
	case want.Stop == proxytest.StopRefusal && to == ol:
		want.Stop = proxytest.StopEnd
	}
	u := &want.Usage
	switch to {
	case ol:
		u.CacheRead, u.CacheWrite, u.Reasoning = 0, 0, 0
	case gm:
		u.CacheWrite = 0
	}
}

// asCounted allows for providers that count in their own way: reasoning beside
// the output, cached tokens beside the input or under a name of their own.
func asCounted(want *proxytest.Usage, got proxytest.Usage, from proxy.Dialect) {
	if got.Output >= want.Output && got.Output <= want.Output+want.Reasoning {
		want.Output = got.Output
	}
	if want.CacheRead > want.Input && (got.Input == want.CacheRead || got.Input == want.Input) {
		want.Input = got.Input
	}
	if from == cc && want.CacheRead == 0 && got.CacheRead <= got.Input {
		want.CacheRead = got.CacheRead
	}
}
