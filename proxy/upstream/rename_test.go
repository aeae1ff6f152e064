package upstream

import "testing"

func TestGeminiBodiesNameTheModelAgain(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{
			"a batch of embeddings", `{"requests": [{"model":"models/mine/e", "content":{"parts":[{"text":"model"}]}},{"content":{},"model":"models/mine/e"}] }`,
			`{"requests": [{"model":"models/e", "content":{"parts":[{"text":"model"}]}},{"content":{},"model":"models/e"}] }`,
		},
		{"one embedding", `{"model":"mine/e","content":{}}`, `{"model":"models/e","content":{}}`},
		{"a count", `{"generateContentRequest":{"model":"models/mine/e","contents":[]}}`, `{"generateContentRequest":{"model":"models/e","contents":[]}}`},
		{"a model that is not text", `{"model":7}`, `{"model":7}`},
		{"no name", `{"contents":[]}`, `{"contents":[]}`},
		{"no JSON", `{"requests":`, `{"requests":`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(renameWithin([]byte(tc.body), "e")); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}
