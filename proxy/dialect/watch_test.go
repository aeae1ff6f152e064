package dialect

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func watched(d proxy.Dialect, contentType string, wire []byte, size int) *Watch {
	w := NewWatch(d, contentType)
	for at := 0; at < len(wire); at += size {
		w.Feed(wire[at:min(at+size, len(wire))])
	}
	return w
}

// spaced writes the JSON of a stream as some servers do: with spaces behind colons
// and commas.
func spaced(wire []byte) []byte {
	var out []byte
	for line := range bytes.Lines(wire) {
		if bytes.HasPrefix(line, []byte("event:")) {
			out = append(out, line...)
			continue
		}
		text, mark := bytes.CutPrefix(line, []byte("data:"))
		if mark {
			out = append(out, "data:"...)
		}
		within := false
		for i, c := range text {
			out = append(out, c)
			switch {
			case c == '"' && !(within && escaped(text[:i])):
				within = !within
			case !within && (c == ':' || c == ','):
				out = append(out, ' ')
			}
		}
	}
	return out
}

// escaped says whether what follows is behind an odd number of backslashes.
func escaped(before []byte) bool {
	return (len(before)-len(bytes.TrimRight(before, `\`)))%2 == 1
}

// TestWatchFollowsEveryRecordedStream: each ends well, or with the error it
// holds, and the counts are those of the answer; so it is when its JSON has spaces.
func TestWatchFollowsEveryRecordedStream(t *testing.T) {
	for _, d := range fiveDialects {
		for _, x := range answered(t, d).Streams() {
			want, err := proxytest.Summarize(string(d), x.Wire())
			if err != nil {
				t.Fatal(err)
			}
			for i, wire := range [][]byte{x.Wire(), x.Wire(), spaced(x.Wire())} {
				w := watched(d, contentType(x), wire, []int{13, 4096, 512}[i])
				f, sent := w.End()
				switch {
				case want.Error != "":
					if f == nil || !sent {
						t.Errorf("%s: the error %q is %v, sent %t", x.ID, want.Error, f, sent)
					}
					continue
				case f != nil:
					t.Errorf("%s: %v", x.ID, f)
					continue
				}
				u := w.Usage()
				got := proxytest.Usage{Input: u.Input, Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, Reasoning: u.Reasoning}
				counts := want.Usage
				asCounted(&counts, got, d)
				if got != counts {
					t.Errorf("%s: usage %+v, want %+v", x.ID, got, want.Usage)
				}
			}
		}
	}
}

// TestWatchSeesWhatBreaksOff cuts recorded streams before their last frames.
func TestWatchSeesWhatBreaksOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	n := 0
	for _, d := range fiveDialects {
		for _, x := range answered(t, d).Streams() {
			wire := x.Wire()
			frames, err := proxytest.Frames(wire)
			if err != nil || len(frames) < 4 || contentType(x) == "application/json" {
				continue
			}
			// What stands before the frame that says why the answer ended.
			end := 0
			for i, f := range frames {
				w := watched(d, contentType(x), wire[:f.End], 1<<20)
				if fl, _ := w.End(); fl == nil || fl.Code != fault.StreamTruncated {
					break
				}
				if i > 0 {
					end = frames[i].Start
				}
			}
			if end < 2 {
				continue
			}
			n++
			at := 1 + rng.IntN(end)
			f, sent := watched(d, contentType(x), wire[:at], 100).End()
			if f == nil || f.Code != fault.StreamTruncated || sent {
				t.Errorf("%s cut at %d of %d: %v, sent %t", x.ID, at, len(wire), f, sent)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d streams", n)
	}
}

func TestWatchFedTwiceCountsOnce(t *testing.T) {
	wire := streamWire(am, append([]string{claudeStart}, append(claudeText("0", "a"), claudeEnd("end_turn"), claudeStop)...)...)
	w := NewWatch(am, "text/event-stream")
	w.Feed(wire[:200])
	w.Again(200)
	w.Feed(wire[:150])
	w.Feed(wire[150:])
	if f, _ := w.End(); f != nil || w.Usage().Output != 9 || w.Usage().Input != 8 {
		t.Errorf("%v, usage %+v", f, w.Usage())
	}
}

// TestWatchTellsMembersFromWords: a member counts where it stands and for what it
// says, not for its spelling.
func TestWatchTellsMembersFromWords(t *testing.T) {
	for _, tc := range []struct {
		name   string
		d      proxy.Dialect
		frames string
		want   fault.Code
		input  int64
	}{
		{"Ollama with spaces", proxy.Ollama, `{"model": "m", "message": {"content": "a"}, "done": false}|{"model": "m", "done" :	true, "prompt_eval_count": 7}`, "", 7},
		{"an argument called done", proxy.Ollama, `{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"done":true}}}]},"done":false}`, fault.StreamTruncated, 0},
		{"a text that is done", proxy.Ollama, `{"message":{"content":"done"},"done":false}|{"message":{"content":"done"},"done":true,"prompt_eval_count":3}`, "", 3},
		{"Ollama's error with spaces", proxy.Ollama, `{"message":{"content":"a"},"done":false}|{"error" : "out of memory"}`, fault.StreamError, 0},
		{"a reason far from its name", cc, `{"choices": [{"index": 0, "delta": {}, "finish_reason" :  "stop"}]}`, "", 0},
		{"an empty reason", cc, `{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}|{"choices":[{"delta":{"content":"b"},"finish_reason":""}]}`, fault.StreamTruncated, 0},
		{"a reason behind empty ones", cc, `{"choices":[{"delta":{"content":"a"},"finish_reason":""}]}|{"choices":[{"delta":{"content":""},"finish_reason":"stop"}]}`, "", 0},
		{"a reason of the second choice", cc, `{"choices":[{"finish_reason":null},{"finish_reason": "stop"}]}`, "", 0},
		{"no usage, then some", cc, `{"choices":[],"usage": null}|{"choices":[{"finish_reason":"stop"}],"usage": {"prompt_tokens": 5, "completion_tokens": 1}}`, "", 5},
		{"usage beside none", cc, `{"usage":null,"x_groq":{"usage":{"prompt_tokens":4,"completion_tokens":1}},"choices":[{"finish_reason":"stop"}]}`, "", 4},
		{"an error with spaces", cc, `{"error" : {"message": "no", "code": 429}}`, fault.RateLimit, 0},
		{"no error", cc, `{"error": null, "choices": [{"delta": {}, "finish_reason": "stop"}]}`, "", 0},
		{"no reason of Gemini's", proxy.Gemini, `{"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": null}]}`, fault.StreamTruncated, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := NewWatch(tc.d, "")
			for frame := range strings.SplitSeq(tc.frames, "|") {
				if tc.d == proxy.Ollama {
					w.Feed([]byte(frame + "\n"))
				} else {
					w.Feed([]byte("data: " + frame + "\n\n"))
				}
			}
			f, _ := w.End()
			var code fault.Code
			if f != nil {
				code = f.Code
			}
			if u := w.Usage(); code != tc.want || u.Input != tc.input {
				t.Errorf("got %q with %d tokens, want %q with %d", code, u.Input, tc.want, tc.input)
			}
		})
	}
}

// TestWatchLearnsFramesThatTellNothing: null and false tell nothing, however they
// are written.
func TestWatchLearnsFramesThatTellNothing(t *testing.T) {
	for frame, d := range map[string]proxy.Dialect{
		`{"choices": [{"delta": {"content": "a"}, "finish_reason": null}], "usage": null}`:           cc,
		`{"choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null,"error":null}`:     cc,
		`{"model": "m", "message": {"role": "assistant", "content": "a"}, "done": false}`:            proxy.Ollama,
		`{"model":"m","message":{"role":"assistant","content":"done"},"error":null,"done":false}`:    proxy.Ollama,
		`{"choices":[{"text":"a","finish_reason":null}],"usage" :null,"system_fingerprint":"usage"}`: proxy.OpenAICompletions,
	} {
		w := NewWatch(d, "")
		if err := w.frame(nil, []byte(frame)); err != nil || !w.dull.fits([]byte(strings.Replace(frame, `"a"`, `"b"`, 1))) {
			t.Errorf("%s is searched again, %v", frame, err)
		}
	}
}

// TestOpensPlainly: what might be an error, or is no event yet, is read.
func TestOpensPlainly(t *testing.T) {
	for stream, want := range map[string]bool{
		"data: {\"choices\":[]}\n\n":                                           true,
		"event: message_start\ndata: {}\n\nevent: ping\nda":                    true,
		"data: {\"choices\":[]}\n":                                             false,
		"data: {\"choices\":[]}\r\n\r\n":                                       false,
		"event: message_start\n\n":                                             false,
		": waiting\n\n":                                                        false,
		"data: {\"error\":{\"message\":\"busy\"}}\n\n":                         false,
		"event: error\ndata: {}\n\n":                                           false,
		"event: response.failed\ndata: {\"type\":\"response.failed\"}\n\n":     false,
		"data: {\"choices\":[]}\n\ndata: {\"error\":{\"message\":\"busy\"}}\n": false,
		"<!doctype html>\n\n":                                                  false,
		"":                                                                     false,
	} {
		if got := OpensPlainly([]byte(stream)); got != want {
			t.Errorf("%q: %t", stream, got)
		}
	}
}
