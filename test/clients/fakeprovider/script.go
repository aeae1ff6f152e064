package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// reply is what the script answers.
type reply struct {
	status    int // of a failure, whose message is text; 0 is none
	reasoning string
	text      string
	calls     []called
	length    bool // the answer stops at the token limit
	broken    bool // an error event comes in the middle of the stream
	cut       bool // the stream just ends in the middle
}

type called struct{ id, name, args string }

const (
	inputTokens  = 21
	outputTokens = 9
	thought      = "First I think about it."
)

var failing = regexp.MustCompile(`\[\[error (\d+)\]\]`)

// script gives the answer that a conversation asks for.
func script(dialect string, a *ask) reply {
	has := func(directive string) bool { return strings.Contains(a.last, "[["+directive+"]]") }
	hello := "Hello from " + dialect + ": naïve café, 漢字 🙂 \"quoted\" \\ and\na new line."
	if m := failing.FindStringSubmatch(a.last); m != nil {
		status, _ := strconv.Atoi(m[1])
		return reply{status: status, text: "scripted failure " + m[1]}
	}
	switch {
	case has("tool"), has("tools"):
		return toolReply(a, has("tools"))
	case has("image"):
		return reply{text: "Saw " + strings.Join(a.images, ", ")}
	case has("json"):
		const person = `{"name":"Ada","age":36}`
		switch {
		case a.schema != nil:
			return reply{text: person}
		case len(a.tools) == 1: // how clients ask models that know no schemas
			return reply{calls: []called{{"call_fake_1", a.tools[0], person}}}
		}
		return reply{status: 400, text: "bad request: no schema was asked for"}
	case has("system"):
		return reply{text: "I was told: " + a.system}
	case has("think"):
		if !a.think {
			return reply{status: 400, text: "bad request: reasoning was not asked for"}
		}
		return reply{reasoning: thought, text: hello}
	case has("long"):
		return reply{text: hello, length: true}
	case has("break"):
		return reply{text: hello, broken: true}
	case has("cut"):
		return reply{text: hello, cut: true}
	}
	return reply{text: hello}
}

// forecasts are the arguments of the calls.
var forecasts = [...]string{`{"city":"Paris","days":2}`, `{"city":"Oslo","days":3}`}

// toolReply calls the tool for one city or two, and then says what came back
// for which.
func toolReply(a *ask, two bool) reply {
	if len(a.calls) == 0 {
		if len(a.tools) == 0 {
			return reply{status: 400, text: "bad request: no tool is offered"}
		}
		say := reply{text: "Let me look."}
		for i, args := range forecasts {
			if i == 0 || two {
				say.calls = append(say.calls, called{fmt.Sprintf("call_fake_%d", i+1), a.tools[0], args})
			}
		}
		return say
	}
	var said []string
	for _, c := range a.calls {
		said = append(said, fmt.Sprintf("%s=%s", c.args.str("city"), c.result))
	}
	return reply{text: strings.Join(said, "; ")}
}

// pieces cuts a text as a model's tokens do, not at words.
func pieces(s string) []string {
	var out []string
	r := []rune(s)
	for i := 0; i < len(r); i += 5 {
		out = append(out, string(r[i:min(i+5, len(r))]))
	}
	return out
}

// half is what a stream sends that does not reach its end.
func (s reply) half() []string {
	p := pieces(s.text)
	if s.broken || s.cut {
		return p[:len(p)/2]
	}
	return p
}

const overloaded = "scripted failure in the stream"

// ends picks the vendor's word for why an answer ends.
func (s reply) ends(stop, length, calls string) string {
	switch {
	case len(s.calls) > 0:
		return calls
	case s.length:
		return length
	}
	return stop
}
