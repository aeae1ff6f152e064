package dialect

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutFrames feeds the chunks and returns the frames as "name|data", with the
// error, if any, as the last.
func cutFrames(f Framer, chunks ...string) []string {
	var got []string
	yield := func(name, data []byte) error {
		got = append(got, fmt.Sprintf("%s|%s", name, data))
		return nil
	}
	var err error
	for _, c := range chunks {
		p := []byte(c)
		err = f.Feed(p, yield)
		for i := range p {
			p[i] = '#' // what the caller's next read may do
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = f.Close(yield)
	}
	if err != nil {
		got = append(got, "error: "+err.Error())
	}
	return got
}

// everySplit checks that the frames do not depend on how the stream is read:
// cut in two at each place, in three around each place, byte by byte.
func everySplit(t *testing.T, fresh func() Framer, stream string, want []string) {
	t.Helper()
	check := func(chunks ...string) {
		t.Helper()
		if d := cmp.Diff(want, cutFrames(fresh(), chunks...)); d != "" {
			t.Fatalf("chunks %q: %s", chunks, d)
		}
	}
	check(stream)
	check(strings.Split(stream, "")...)
	bytewise := make([]string, len(stream))
	for i := range len(stream) {
		bytewise[i] = stream[i : i+1]
	}
	check(bytewise...)
	for i := range len(stream) {
		check(stream[:i], stream[i:])
		check(stream[:i], "", stream[i:i+1], stream[i+1:])
	}
}

func TestSSE(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         []string
	}{
		{"nothing", "", nil},
		{"one event", "data: {\"a\":1}\n\n", []string{`|{"a":1}`}},
		{"named", "event: ping\ndata: {}\n\ndata: x\n\n", []string{"ping|{}", "|x"}},
		{"name after data", "data: {}\nevent: a\n\n", []string{"a|{}"}},
		{"last name wins", "event: a\nevent: b\ndata: {}\n\n", []string{"b|{}"}},
		{"empty name", "event: a\nevent\ndata: {}\n\n", []string{"|{}"}},
		{"crlf", "event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", []string{"a|1", "|2"}},
		{"cr", "event: a\rdata: 1\r\rdata: 2\r\r", []string{"a|1", "|2"}},
		{"mixed line ends", "data: 1\r\ndata: 2\rdata: 3\n\r\ndata: 4\n\r", []string{"|1\n2\n3", "|4"}},
		{"lf after cr of its own", "data: 1\r\n\ndata: 2\n\r\r\n", []string{"|1", "|2"}},
		{"several data lines", "data: a\ndata:  b\ndata\ndata:c\n\n", []string{"|a\n b\n\nc"}},
		{"one optional space", "data:x\n\ndata: x\n\ndata:  x\n\n", []string{"|x", "|x", "| x"}},
		{"no colon", "data\n\n", []string{"|"}},
		{"empty data", "data:\n\ndata:\ndata:\n\n", []string{"|", "|\n"}},
		{"no data", "event: a\n\nid: 1\n\ndata: x\n\n", []string{"|x"}},
		{"comments", ": keepalive\n\n:\n: x\ndata: 1\n: between\ndata: 2\n\n", []string{"|1\n2"}},
		{"other fields", "id: 7\nretry: 10\nfoo: bar\ndata: x\nDATA: y\n data: z\n\n", []string{"|x"}},
		{"colon in value", "data: a: b:c\n\n", []string{"|a: b:c"}},
		{"byte order mark", "\xEF\xBB\xBFdata: x\n\n\xEF\xBB\xBFdata: y\n\n", []string{"|x"}},
		{"byte order mark and blank line", "\xEF\xBB\xBF\ndata: x\n\n", []string{"|x"}},
		{"beyond ascii", "event: é\ndata: 漢字😀\n\n", []string{"é|漢字😀"}},
		{"done", "data: {}\n\ndata: [DONE]\n\n", []string{"|{}", "|[DONE]"}},
		{"last blank line missing", "data: 1\n\nevent: e\ndata: 2\n", []string{"|1", "e|2"}},
		{"last line end missing", "data: 1\n\ndata: 2", []string{"|1", "|2"}},
		{"last line unfinished after data", "data: 1\nda", []string{"|1"}},
		{"no data at the end", "data: 1\n\nevent: x\n: y", []string{"|1"}},
		{"only a byte order mark", "\xEF\xBB\xBF", nil},
	} {
		t.Run(c.name, func(t *testing.T) { everySplit(t, NewSSE, c.stream, c.want) })
	}
}

func TestSSEYieldsAtOnce(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r"} {
		var got []string
		err := NewSSE().Feed([]byte("data: 1"+end), func(_, data []byte) error {
			got = append(got, string(data))
			return nil
		})
		if d := cmp.Diff([]string{"1"}, got); err != nil || d != "" {
			t.Errorf("after %q: %v %s", end, err, d)
		}
	}
}

func TestSSEDoesNotCopyWholeEvents(t *testing.T) {
	p := []byte("event: delta\r\ndata: {\"text\":\"hello\"}\r\n\r\ndata: [DONE]\n\n")
	f := NewSSE()
	count := 0
	yield := func(_, data []byte) error {
		count++
		if at := strings.Index(string(p), string(data)); &p[at] != &data[0] {
			t.Errorf("%s was copied", data)
		}
		return nil
	}
	if err := f.Feed(p, yield); err != nil || count != 2 {
		t.Fatalf("%d frames, error %v", count, err)
	}
	none := func(_, _ []byte) error { return nil }
	if n := testing.AllocsPerRun(100, func() { _ = f.Feed(p, none) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		want         []string
	}{
		{"nothing", "", nil},
		{"lines", "{\"a\":1}\n{\"b\":2}\n", []string{`|{"a":1}`, `|{"b":2}`}},
		{"last line end missing", "{}\n[1]", []string{"|{}", "|[1]"}},
		{"crlf", "1\r\n2\r\n", []string{"|1", "|2"}},
		{"blank lines", "\n\r\n \t\n1\n\n\n 2 \n ", []string{"|1", "|2"}},
		{"byte order mark", "\xEF\xBB\xBF{}\n{}", []string{"|{}", "|{}"}},
		{"beyond ascii", "\"漢😀\"\n", []string{"|\"漢😀\""}},
	} {
		t.Run(c.name, func(t *testing.T) { everySplit(t, NewLines, c.stream, c.want) })
	}
}

func TestArray(t *testing.T) {
	cut := "error: stream ends inside an element: unexpected EOF"
	for _, c := range []struct {
		name, stream string
		want         []string
	}{
		{"nothing", "", nil},
		{"empty array", " [ ] \n", nil},
		{"as gemini writes it", "[{\"a\":[1]}\n,\r\n{\"b\":{}}\n]\n", []string{`|{"a":[1]}`, `|{"b":{}}`}},
		{"one object", " {\"error\":{\"code\":429}}\n", []string{`|{"error":{"code":429}}`}},
		{"brackets and quotes in strings", `[{"a":"]},\"{\\"},["\\\"]"]]`, []string{`|{"a":"]},\"{\\"}`, `|["\\\"]"]`}},
		{"scalars", `[1,-2.5e3 , true,"a,]\"",null]`, []string{"|1", "|-2.5e3", "|true", `|"a,]\""`, "|null"}},
		{"byte order mark", "\xEF\xBB\xBF[{}]", []string{"|{}"}},
		{"beyond ascii", `[{"t":"漢😀"}]`, []string{`|{"t":"漢😀"}`}},
		{"bracket at the end missing", "[{},{}", []string{"|{}", "|{}"}},
		{"comma at the end", "[{},]", []string{"|{}"}},
		{"cut in an element", `[{},{"a":1`, []string{"|{}", cut}},
		{"cut in a string", `[{"a`, []string{cut}},
		{"cut in an escape", `["\`, []string{cut}},
		{"cut in a number", `[1`, []string{cut}},
		{"cut in the object", `{"a":{}`, []string{cut}},
		{"html", "<html>", []string{"error: stream is not a JSON array"}},
		{"half a byte order mark", "\xEF\xBB[", []string{"error: stream is not a JSON array"}},
		{"stray bracket", "[{}}]", []string{"|{}", "error: stream is not a JSON array"}},
		{"more after the array", "[{}]\n[", []string{"|{}", "error: unexpected byte after the JSON array of the stream"}},
		{"more after the object", "{}{}", []string{"|{}", "error: unexpected byte after the JSON array of the stream"}},
	} {
		t.Run(c.name, func(t *testing.T) { everySplit(t, NewArray, c.stream, c.want) })
	}
}

func TestFrameTooLong(t *testing.T) {
	const limit = 40
	long := strings.Repeat("x", limit)
	kinds := map[string]func() Framer{
		"sse":   func() Framer { return &sseFramer{cut: lineCutter{cr: true, limit: limit}} },
		"lines": func() Framer { return &lineFramer{cut: lineCutter{limit: limit}} },
		"array": func() Framer { return &arrayFramer{limit: limit} },
	}
	tooLong := "error: " + ErrFrameTooLong.Error()
	for _, c := range []struct {
		name, kind, stream string
		want               []string
	}{
		{"line at the limit", "sse", "data: 1\n\ndata:" + long[5:] + "\n\n", []string{"|1", "|" + long[5:]}},
		{"data line", "sse", "data: 1\n\ndata:" + long + "\n\n", []string{"|1", tooLong}},
		{"comment", "sse", "data: 1\n\n:" + long, []string{"|1", tooLong}},
		{"many data lines", "sse", strings.Repeat("data: 12345678\n", 5) + "\n", []string{tooLong}},
		{"many events", "sse", strings.Repeat("data: 12345678\n\n", 5), []string{"|12345678", "|12345678", "|12345678", "|12345678", "|12345678"}},
		{"line", "lines", "1\n" + long + "2\n", []string{"|1", tooLong}},
		{"line without end", "lines", "1\n" + long + "2", []string{"|1", tooLong}},
		{"full line", "lines", long + "\n" + long, []string{"|" + long, "|" + long}},
		{"element", "array", `[1,["` + long + `"]]`, []string{"|1", tooLong}},
		{"full element", "array", `["` + long[2:] + `","` + long[2:] + `"]`, []string{`|"` + long[2:] + `"`, `|"` + long[2:] + `"`}},
		{"element without end", "array", `["` + long, []string{tooLong}},
	} {
		t.Run(c.kind+" "+c.name, func(t *testing.T) { everySplit(t, kinds[c.kind], c.stream, c.want) })
	}
}

func TestFramerKeepsItsError(t *testing.T) {
	stop := errors.New("stop")
	for name, c := range map[string]struct {
		f      Framer
		stream string
	}{
		"sse":   {NewSSE(), "data: 1\n\ndata: 2\n\ndata: 3\n\n"},
		"lines": {NewLines(), "1\n2\n3\n"},
		"array": {NewArray(), "[1,2,3]"},
	} {
		t.Run(name, func(t *testing.T) {
			count := 0
			yield := func(_, _ []byte) error {
				if count++; count == 2 {
					return stop
				}
				return nil
			}
			errs := []error{c.f.Feed([]byte(c.stream), yield), c.f.Feed([]byte(c.stream), yield), c.f.Close(yield)}
			for i, err := range errs {
				if !errors.Is(err, stop) {
					t.Errorf("call %d: error %v", i, err)
				}
			}
			if count != 2 {
				t.Errorf("%d frames", count)
			}
		})
	}
}

func TestLargeBuffersAreLetGo(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	none := func(_, _ []byte) error { return nil }
	sse, lines, array := &sseFramer{cut: lineCutter{cr: true, limit: maxFrame}}, &lineFramer{cut: lineCutter{limit: maxFrame}}, &arrayFramer{limit: maxFrame}
	for _, c := range []struct {
		f      Framer
		stream string
	}{
		{sse, "event: " + large + "\ndata: " + large + "\ndata: " + large + "\n\n"},
		{lines, `"` + large + "\"\n"},
		{array, `["` + large + `"`},
	} {
		for len(c.stream) > 0 {
			n := min(len(c.stream), 4096)
			if err := c.f.Feed([]byte(c.stream[:n]), none); err != nil {
				t.Fatal(err)
			}
			c.stream = c.stream[n:]
		}
	}
	for i, n := range []int{cap(sse.cut.part), cap(sse.data), cap(sse.name), cap(lines.cut.part), cap(array.part)} {
		if n > keepBuffer {
			t.Errorf("buffer %d keeps %d bytes", i, n)
		}
	}
}

func TestAppendSSE(t *testing.T) {
	for _, c := range []struct{ name, event, data, want string }{
		{"data only", "", `{"a":1}`, "data: {\"a\":1}\n\n"},
		{"named", "ping", "{}", "event: ping\ndata: {}\n\n"},
		{"empty", "", "", "data: \n\n"},
		{"several lines", "", "a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"},
		{"line end at the end", "", "a\n", "data: a\ndata: \n\n"},
		{"space in front", "", " a", "data:  a\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendSSE([]byte("x"), c.event, []byte(c.data))); got != "x"+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
