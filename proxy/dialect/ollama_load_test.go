package dialect

import "testing"

func TestOllamaLoad(t *testing.T) {
	for _, tc := range []struct {
		body     string
		generate bool
		want     string
	}{
		{`{"model":"m"}`, true, `"response":"","done":true,"done_reason":"load"}`},
		{`{"model":"m","prompt":"","keep_alive":-1}`, true, `"response":"","done":true,"done_reason":"load"}`},
		{`{"model":"m","keep_alive":0,"stream":false}`, true, `"response":"","done":true,"done_reason":"unload"}`},
		{`{"model":"m","keep_alive":"0s"}`, true, `"response":"","done":true,"done_reason":"unload"}`},
		{`{"model":"m","keep_alive":"5m"}`, true, `"response":"","done":true,"done_reason":"load"}`},
		{`{"model":"m","messages":[]}`, false, `"message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}`},
		{`{"model":"m","messages":[],"keep_alive":"0"}`, false, `"message":{"role":"assistant","content":""},"done":true,"done_reason":"unload"}`},
		{`{"model":"m","prompt":"Hi","keep_alive":0}`, true, ""},
		{`{"model":"m","suffix":"}"}`, true, ""},
		{`{"model":"m","images":["aGk="]}`, true, ""},
		{`{"model":"m","messages":[{"role":"user","content":""}]}`, false, ""},
		{`{"model":`, true, ""},
	} {
		b, ok := OllamaLoad([]byte(tc.body), &Caller{Model: "m", Created: 0, Generate: tc.generate})
		want := tc.want
		if want != "" {
			want = `{"model":"m","created_at":"1970-01-01T00:00:00Z",` + want
		}
		if string(b) != want || ok != (want != "") {
			t.Errorf("%s: %s, %t", tc.body, b, ok)
		}
	}
}
