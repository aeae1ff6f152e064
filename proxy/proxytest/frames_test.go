package proxytest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	tests := []struct{ name, wire, want string }{
		{"LF", "data: {}\n\ndata: x\n\n", "={} =x"},
		{"CRLF", "event: a\r\ndata: {}\r\n\r\n", "a={}"},
		{"CR", "event: a\rdata: {}\r\r", "a={}"},
		{"mixed ends", "data: 1\r\n\ndata: 2\n\r\n", "=1 =2"},
		{"byte order mark", "\ufeffdata: 1\n\n", "=1"},
		{"no space", "data:1\n\n", "=1"},
		{"one space only is cut", "data:  1\n\n", "= 1"},
		{"two data lines", "data: {\ndata: }\n\n", "={\n}"},
		{"field without colon", "data\n\n", "="},
		{"comment", ": keep-alive\n\ndata: 1\n\n", "=1"},
		{"event without data", "event: a\n\ndata: 1\n\n", "=1"},
		{"other fields", "id: 7\nretry: 9\ndata: 1\n\n", "=1"},
		{"left open", "data: 1\n\ndata: 2", "=1 =2!"},
		{"lines", "{\"a\":1}\n\n{\"b\":2}\n", `={"a":1} ={"b":2}`},
		{"lines left open", "{\"a\":1}\r\n{\"b\"", `={"a":1} ={"b"!`},
		{"array", " [{\"a\":1}\n,\r\n{\"b\":2}] ", `={"a":1} ={"b":2}`},
		{"empty array", "[]", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			frames, err := Frames([]byte(test.wire))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range frames {
				text := f.Name + "=" + string(f.Data)
				if f.Open {
					text += "!"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	for _, broken := range []string{"[{}", "[{} {}]", "[{}]x", "[{"} {
		if _, err := Frames([]byte(broken)); err == nil {
			t.Errorf("%q is cut without an error", broken)
		}
	}
}

func TestCuts(t *testing.T) {
	body := []byte("data: {\"a\":\"é\\n\"}\r\n\r\ndata: [DONE]\n\n")
	tests := []struct {
		name string
		cut  Cut
		want string
	}{
		{"whole", Whole, "[36]"},
		{"none", nil, "[36]"},
		{"at", At(-1, 0, 5, 5, 3, 9, 99), "[5 4 27]"},
		{"every event", EveryEvent, "[22 14]"},
		{"awkward", Awkward, "[13 2 4 2 3 11 1]"},
	}
	for _, test := range tests {
		pieces := test.cut.pieces(body)
		if !bytes.Equal(bytes.Join(pieces, nil), body) {
			t.Errorf("%s: the pieces are not the body", test.name)
		}
		var sizes []int
		for _, p := range pieces {
			sizes = append(sizes, len(p))
		}
		if got := fmt.Sprint(sizes); got != test.want {
			t.Errorf("%s: pieces of %s bytes, want %s", test.name, got, test.want)
		}
	}
	if n := len(Cut(EveryByte).pieces(body)); n != len(body) {
		t.Errorf("every byte: %d pieces of %d bytes", n, len(body))
	}
}

func TestRandomCutsDependOnTheSeed(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 5000)
	one, again, two := Random(1)(body), Random(1)(body), Random(2)(body)
	if !slices.Equal(one, again) {
		t.Error("one seed, two cuts")
	}
	if slices.Equal(one, two) {
		t.Error("two seeds, one cut")
	}
	if len(one) < 40 || len(one) > 160 {
		t.Errorf("%d cuts in 5,000 bytes", len(one))
	}
}

func FuzzFrames(f *testing.F) {
	for _, wire := range sound {
		f.Add([]byte(wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		frames, _ := Frames(wire)
		at := 0
		for _, frame := range frames {
			if frame.Start < at || frame.End <= frame.Start || frame.End > len(wire) {
				t.Fatalf("frame at %d..%d of %d, the one before ends at %d", frame.Start, frame.End, len(wire), at)
			}
			at = frame.End
		}
		for _, cut := range []Cut{EveryEvent, Awkward, Random(1), EveryByte} {
			if !bytes.Equal(bytes.Join(cut.pieces(wire), nil), wire) {
				t.Fatal("the pieces are not the body")
			}
		}
	})
}
