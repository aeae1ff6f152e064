package dialect

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFramesOfOneShapeDifferInTheirStringsOnly(t *testing.T) {
	var s shape
	if s.fits(nil) || s.fits([]byte(`{}`)) {
		t.Error("nothing was learnt, and something fits")
	}
	const learnt = `{"id":"a","at" : "now","choices":[{"delta":{"content":"Hi"},"finish_reason":null}],"usage":null}`
	s.learn([]byte(learnt))
	for data, want := range map[string]bool{
		learnt:                               true,
		strings.Replace(learnt, "Hi", "", 1): true,
		strings.Replace(learnt, "Hi", `say \"stop\" \\`, 1):                          true,
		strings.Replace(learnt, `"now"`, `"then"`, 1):                                true,
		strings.Replace(learnt, "Hi", `\"finish_reason\":\"stop`, 1):                 true,
		strings.Replace(learnt, `"finish_reason":null`, `"finish_reason":"stop"`, 1): false,
		strings.Replace(learnt, `"usage":null`, `"usage":{"total_tokens":3}`, 1):     false,
		strings.Replace(learnt, `"content"`, `"refusal"`, 1):                         false,
		strings.Replace(learnt, `"Hi"`, `"Hi`, 1):                                    false,
		strings.Replace(learnt, `"Hi"`, `"Hi\"`, 1):                                  false,
		strings.Replace(learnt, `"Hi"`, `null`, 1):                                   false,
		learnt + " ":            false,
		learnt[:len(learnt)-1]:  false,
		learnt[:len(learnt)/2]:  false,
		"":                      false,
		`{"error":"` + learnt:   false,
		`{"id":"a","error":"b"`: false,
	} {
		if got := s.fits([]byte(data)); got != want {
			t.Errorf("%s fits: %t", data, got)
		}
	}
	s.learn([]byte(`{"open":"`))
	if s.fits([]byte(`{"open":"`)) || s.fits([]byte(learnt)) {
		t.Error("a string that does not end has a shape")
	}
}

// FuzzShape: what fits has the members that the learnt frame has, with values
// that tell something or not as those do.
func FuzzShape(f *testing.F) {
	words := []struct {
		name []byte
		dull string
	}{{wordError, "null"}, {wordFinish, "null"}, {wordUsage, "null"}, {wordOllamaDone, "false"}}
	f.Add([]byte(`{"a":"b","usage":null}`), []byte(`{"a":"\"error\":","usage":null}`))
	f.Add([]byte(`{"a":"b\\"}`), []byte(`{"a":"b\\\""}`))
	f.Add([]byte(`["a" ,"b"]`), []byte(`["a" ,"usage"]`))
	f.Add([]byte(`{"done" : false, "m": "done"}`), []byte(`{"done" : false, "m": "\"done\": true"}`))
	f.Fuzz(func(t *testing.T, learnt, data []byte) {
		var s shape
		s.learn(learnt)
		if len(s.ends) > 0 && !s.fits(learnt) {
			t.Fatalf("%q does not fit itself", learnt)
		}
		if !s.fits(data) || !json.Valid(learnt) {
			return
		}
		for _, w := range words {
			if tells(learnt, w.name, w.dull) != tells(data, w.name, w.dull) {
				t.Fatalf("%q and %q fit, but %s tells something in one only", learnt, data, w.name)
			}
		}
	})
}
