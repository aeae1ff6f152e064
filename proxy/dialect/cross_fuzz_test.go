package dialect

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// FuzzTranslateRequest takes any JSON body from every dialect to every other:
// what is not refused is JSON, and the same the second time.
func FuzzTranslateRequest(f *testing.F) {
	seeds := []string{
		claudeLoop(claudeUse("a:b", "{}"), useResult("a:b", `[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]`)),
		chatLoop(aCall("a", "{"), aResult("b", "x")),
		toolWith("1 2", `{"$defs":{"P":{"$ref":"#/$defs/P"}},"allOf":[{"$ref":"#/$defs/P"}],"type":["string","null"]}`),
		`{"model":"m","input":[{"type":"function_call","call_id":"1","name":"f","arguments":"x"},{"type":"custom_tool_call","call_id":"2","name":"g","input":"y"},{"type":"reasoning","id":"rs_1","encrypted_content":"E"}],"tools":[{"type":"custom","name":"g"},{"type":"namespace","name":"n","tools":[]}]}`,
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"},"thoughtSignature":"s"},{"text":"t","thought":true}]},{"parts":[{"functionResponse":{"name":"f","response":{"a":1}}}]}],"systemInstruction":{"parts":[{"text":"s"}]}}`,
		`{"model":"m","messages":[{"role":"tool","tool_name":"f","content":"x"},{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]}],"format":{"type":"object"},"think":"high"}`,
	}
	for i := range fiveDialects {
		for _, s := range seeds {
			f.Add([]byte(s), uint8(i), uint8(i*37))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, from, bits uint8) {
		p := proxy.Policy{
			NoPrefill: bits&1 > 0, SchemaSubset: bits&2 > 0, Signatures: bits&4 > 0, ResultParts: bits&4 > 0, NeedReasoning: bits&8 > 0, NoSchema: bits&16 > 0, NoForceThink: bits&32 > 0,
			Thinking: []proxy.Thinking{"", proxy.ThinkingBudget, proxy.ThinkingAdaptive, proxy.ThinkingAlways}[bits>>6],
		}
		source := fiveDialects[int(from)%len(fiveDialects)]
		for _, d := range fiveDialects {
			target := to(d, policy(p), quirks("alternate", "assistant_after_tool"))
			target.ShareReasoning = bits&64 > 0
			m, err := tryTranslate(source, bytes.Clone(body), target, NewReplay())
			if err != nil {
				continue
			}
			if !json.Valid(m.body) {
				t.Fatalf("%s to %s: no JSON: %s", source, d, m.body)
			}
			if again, err := tryTranslate(source, body, target, NewReplay()); err != nil || !bytes.Equal(again.body, m.body) {
				t.Fatalf("%s to %s: not the same twice: %v\n%s", source, d, err, m.body)
			}
		}
	})
}

// FuzzTranslateStream takes any bytes from every dialect's stream to a caller of
// every other: what comes out is a whole stream, if only one of an error.
func FuzzTranslateStream(f *testing.F) {
	for i, d := range fiveDialects {
		f.Add(streamWire(d, brokenStreams[d]...), uint8(i), []byte(" "))
	}
	f.Add(streamWire(am, claudeThinks...), uint8(2), []byte("END"))
	f.Add(streamWire(cc, calls(`{"index":1,"function":{"arguments":"x"}},{"index":0,"id":"","function":{"name":"f"}}`), delta(`{"content":"b"}`), ended("stop"), doneFrame), uint8(0), []byte("b"))
	f.Fuzz(func(t *testing.T, wire []byte, from uint8, stop []byte) {
		source := fiveDialects[int(from)%len(fiveDialects)]
		for _, d := range fiveDialects {
			c := callerOf(d)
			p := &Prepared{Names: Names{"f": "g::f"}, Stops: []string{string(stop)}}
			out, _ := streamThrough(For(source), c, NewReturn(p, c, proxy.Origin{Dialect: source}, NewReplay()), "text/event-stream", wire, 16)
			// Arguments may be broken and usage may jump in what is fed here;
			// the order of the stream may not be.
			if err := proxytest.ValidateStream(string(d), out, "block/sign", "tool/input", "usage/sum", "usage/falls", "tool/start"); err != nil {
				t.Fatalf("%s to %s: %v\n%s", source, d, err, out)
			}
		}
	})
}
