package upstream

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

const planStream = `event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"gpt-plan","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"in_progress","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":2,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"pong"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":4,"output_index":0,"item":{"id":"msg_1","type":"message","role":"assistant","status":"completed","phase":"final_answer","content":[{"type":"output_text","text":"pong","annotations":[]}]}}

event: response.completed
data: {"type":"response.completed","sequence_number":5,"response":{"id":"resp_1","object":"response","status":"completed","model":"gpt-plan","output":[],"usage":{"input_tokens":5,"output_tokens":1,"total_tokens":6}}}

`

// A plan takes streamed Responses requests without most parameters, whatever
// dialect the request came in; its last event may be empty.
func TestAPlanGetsWhatItTakes(t *testing.T) {
	for _, tc := range []struct {
		dialect proxy.Dialect
		stream  bool
		body    string
		want    string
		lost    []string
	}{
		{
			proxy.OpenAIResponses, false,
			`{"model":"openai/gpt-plan","instructions":"Be brief.","input":"ping","temperature":0.5,"top_p":0.9,"max_output_tokens":20,"user":"me","metadata":{"a":"b"},"store":true}`,
			`{"model":"gpt-plan","instructions":"Be brief.","store":false,"stream":true}`,
			[]string{"max_output_tokens", "metadata", "temperature", "top_p", "user"},
		},
		{
			proxy.OpenAIChat, true, `{"model":"openai/gpt-plan","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"ping"}],"temperature":1,"max_tokens":90,"stream":true}`,
			`{"model":"gpt-plan","instructions":"Be brief.","store":false,"stream":true}`,
			[]string{"max_output_tokens", "temperature"},
		},
		{
			proxy.AnthropicMessages, false, `{"model":"openai/gpt-plan","max_tokens":90,"messages":[{"role":"user","content":"ping"}]}`,
			`{"model":"gpt-plan","store":false,"stream":true}`,
			[]string{"max_output_tokens"},
		},
	} {
		t.Run(string(tc.dialect), func(t *testing.T) {
			p := proxytest.NewProvider(t, proxytest.SSE(planStream))
			s := NewSender("1.2.3", &freshKeys{}, func() Options { return Options{} }, slog.New(slog.DiscardHandler))
			t.Cleanup(s.Close)
			to := &proxy.Candidate{
				Provider: &proxy.Provider{ID: "openai", Name: "OpenAI", Surfaces: []proxy.Surface{{Dialect: proxy.OpenAIResponses, BaseURL: p.URL + "/v1"}, {Dialect: proxy.OpenAIChat, BaseURL: p.URL + "/v1"}}, CountTokens: true},
				Account:  &proxy.Account{Provider: "openai", Name: "plan", Connect: proxy.WayChatGPT}, Model: &proxy.Model{ID: "gpt-plan"},
			}
			in := &proxy.Inbound{ID: "1", Dialect: tc.dialect, Op: proxy.OpGenerate, Model: "openai/gpt-plan", Stream: tc.stream, Body: []byte(tc.body), ModelAt: [2]int{9, 26}, Own: true}
			r, err := s.Send(t.Context(), in, to)
			if err != nil || r.Fault != nil || r.Events == nil {
				t.Fatalf("got %+v, %v", r, err)
			}
			defer r.Close()
			var fold dialect.Folder
			for err == nil {
				err = r.Events.Next(func(e *proxy.Event) error { fold.Add(e); return nil })
			}
			if answer, ferr := fold.Answer(); !errors.Is(err, io.EOF) || ferr != nil || len(answer.Parts) != 1 || answer.Parts[0].Text.String() != "pong" || answer.Usage.Input != 5 {
				t.Errorf("got %+v, %v, %v", answer, err, ferr)
			}
			seen := p.Seen()[0]
			var sent map[string]json.RawMessage
			if err := json.Unmarshal(seen.Body, &sent); err != nil || seen.Path != "/v1/responses" {
				t.Fatalf("%s %s: %v", seen.Path, seen.Body, err)
			}
			delete(sent, "input")
			delete(sent, "include")
			if diff := cmp.Diff(decoded(t, []byte(tc.want)), decoded(t, must(json.Marshal(sent)))); diff != "" {
				t.Errorf("%s\n%s", diff, seen.Body)
			}
			var lost []string
			for _, l := range r.Losses {
				lost = append(lost, l.Field)
			}
			slices.Sort(lost)
			if diff := cmp.Diff(tc.lost, lost); diff != "" {
				t.Errorf("losses: %s", diff)
			}
			// Counting has no route there: it is estimated, and nobody is asked.
			in.Op, in.Stream = proxy.OpCount, false
			if r, err := s.Send(t.Context(), in, to); err != nil || !r.Estimated || len(p.Seen()) != 1 {
				t.Errorf("a count: %+v, %v", r, err)
			}
		})
	}
}

func decoded(t *testing.T, b []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
