package dialect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chunked cuts the stream into pieces as long as the bytes of cuts say.
func chunked(stream string, cuts []byte) []string {
	var chunks []string
	for i := 0; len(stream) > 0 && len(cuts) > 0; i++ {
		n := min(len(stream), int(cuts[i%len(cuts)]))
		chunks = append(chunks, stream[:n])
		stream = stream[n:]
		if n == 0 {
			cuts = cuts[:len(cuts)-1]
		}
	}
	return append(chunks, stream)
}

// wholeSSE reads a whole stream the way the standard tells it, line by line.
func wholeSSE(stream string) []string {
	stream = strings.TrimPrefix(stream, "\xEF\xBB\xBF")
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var got, data []string
	name := ""
	// A line end and a blank line more than the stream has do no harm.
	for line := range strings.SplitSeq(stream+"\n\n", "\n") {
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				got = append(got, name+"|"+strings.Join(data, "\n"))
			}
			name, data = "", nil
		case field == "data":
			data = append(data, value)
		case field == "event":
			name = value
		}
	}
	return got
}

func FuzzSSE(f *testing.F) {
	f.Add("\xEF\xBB\xBFevent: a\r\ndata: 1\rdata:2\n\n: c\r\n\r\ndata\n\ndata: 漢", []byte{3, 1, 7})
	f.Add("data: {\"a\":1}\n\ndata: [DONE]\n\n", []byte{1})
	f.Fuzz(func(t *testing.T, stream string, cuts []byte) {
		want := wholeSSE(stream)
		if d := cmp.Diff(want, cutFrames(NewSSE(), stream)); d != "" {
			t.Errorf("in one piece: %s", d)
		}
		if d := cmp.Diff(want, cutFrames(NewSSE(), chunked(stream, cuts)...)); d != "" {
			t.Errorf("in pieces: %s", d)
		}
		if len(stream) <= 256 {
			everySplit(t, NewSSE, stream, want)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add("{}\r\n\n \n[1]\n\"x\"", []byte{2, 1})
	f.Fuzz(func(t *testing.T, stream string, cuts []byte) {
		var want []string
		for line := range strings.SplitSeq(strings.TrimPrefix(stream, "\xEF\xBB\xBF"), "\n") {
			if line = strings.Trim(line, " \t\r"); line != "" {
				want = append(want, "|"+line)
			}
		}
		if d := cmp.Diff(want, cutFrames(NewLines(), chunked(stream, cuts)...)); d != "" {
			t.Error(d)
		}
	})
}

// FuzzArray checks valid arrays against encoding/json, and all else for the
// same outcome however it is cut.
func FuzzArray(f *testing.F) {
	f.Add("\xEF\xBB\xBF[{\"a\":\"]\\\"\"}\n,\r\n[1,[]],2,null]\n", []byte{2, 1})
	f.Add(`{"error":{"code":"[\\"}}`, []byte{5})
	f.Add(`[{},{"a`, []byte{1})
	f.Fuzz(func(t *testing.T, stream string, cuts []byte) {
		want := cutFrames(NewArray(), stream)
		if d := cmp.Diff(want, cutFrames(NewArray(), chunked(stream, cuts)...)); d != "" {
			t.Errorf("in pieces: %s", d)
		}
		text := strings.TrimPrefix(stream, "\xEF\xBB\xBF")
		var elems []json.RawMessage
		if json.Unmarshal([]byte(text), &elems) != nil || elems == nil {
			return
		}
		var valid []string
		for _, e := range elems {
			valid = append(valid, "|"+string(e))
		}
		if d := cmp.Diff(valid, want); d != "" {
			t.Error(d)
		}
	})
}

func FuzzAppendSSE(f *testing.F) {
	f.Add("delta", "a\r\nb\n\rc ", "")
	f.Fuzz(func(t *testing.T, name, one, two string) {
		if strings.ContainsAny(name, "\r\n") {
			return
		}
		lf := func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
		}
		stream := AppendSSE(AppendSSE(nil, name, []byte(one)), "", []byte(two))
		want := []string{name + "|" + lf(one), "|" + lf(two)}
		if d := cmp.Diff(want, cutFrames(NewSSE(), string(stream))); d != "" {
			t.Error(d)
		}
	})
}

func BenchmarkFramer(b *testing.B) {
	event := `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5","choices":[{"index":0,"delta":{"content":" the \"cache\"\n"},"finish_reason":null}]}`
	sse := strings.Repeat(string(AppendSSE(nil, "", []byte(event))), 10)
	none := func(_, _ []byte) error { return nil }
	for _, c := range []struct {
		name   string
		fresh  func() Framer
		open   string // fed once
		stream string // fed over and over
	}{
		{"sse", NewSSE, "", sse},
		{"lines", NewLines, "", strings.Repeat(event+"\n", 10)},
		{"array", NewArray, "[", strings.Repeat(event+",\n", 10)},
	} {
		for _, size := range []int{4096, 100} {
			f := c.fresh()
			_ = f.Feed([]byte(c.open), none)
			b.Run(fmt.Sprintf("%s/read=%d", c.name, size), func(b *testing.B) {
				stream := []byte(c.stream)
				b.SetBytes(int64(len(stream)))
				b.ReportAllocs()
				for b.Loop() {
					for p := stream; len(p) > 0; p = p[min(len(p), size):] {
						_ = f.Feed(p[:min(len(p), size)], none)
					}
				}
			})
		}
	}
}
