package proxytest

import (
	"fmt"
	"slices"
	"strings"
)

// rules names everything ValidateStream checks. A rule can be ignored by its name: recorded
// providers break some, and a pass-through has to let that be.
var rules = map[string]string{
	"frame/json":     "every frame holds one JSON object",
	"frame/open":     "the last frame is closed by its blank line or newline",
	"frame/name":     "the SSE event name equals the type, or is absent where the dialect has none",
	"frame/dialect":  "the frame belongs to the dialect",
	"stream/start":   "exactly one start, and it comes first",
	"stream/end":     "exactly one terminal event, and it comes last",
	"stream/error":   "an error event has the dialect's shape",
	"id/present":     "ids, models and times are there",
	"id/same":        "ids, models and times do not change within a stream",
	"index/order":    "indices count up from 0 without a gap",
	"index/sequence": "sequence numbers count up by one",
	"block/open":     "a delta or an end belongs to the one open block",
	"block/close":    "a block is closed before the next one and before the end",
	"block/type":     "a delta's type matches its block's",
	"block/full":     "a done event or closing item repeats the complete text",
	"block/sign":     "a thinking block ends with exactly one signature",
	"role":           "the first delta carries the role, no other does",
	"tool/start":     "a tool call starts with id, type, name and no arguments",
	"tool/input":     "a finished tool call's arguments are a JSON object",
	"finish/known":   "the stop reason is one of the dialect's",
	"finish/once":    "a stop reason is given exactly once, on the last content",
	"finish/tools":   "a turn with a tool call stops for it, and no other turn does",
	"usage/present":  "usage is there, in its place, with its detail objects",
	"usage/sum":      "totals are the sum of their parts",
	"usage/falls":    "usage never decreases",
	"done/marker":    "[DONE] ends the streams of Chat and Completions and no other",
}

// Violation is one broken rule at one frame.
type Violation struct {
	Rule   string
	Frame  int // its place in the stream, from 0
	Detail string
}

// Violations is the error of ValidateStream, in stream order.
type Violations []Violation

func (v Violations) Error() string {
	var out strings.Builder
	for i, one := range v {
		if i == 8 {
			fmt.Fprintf(&out, "; and %d more", len(v)-i)
			break
		}
		if i > 0 {
			out.WriteString("; ")
		}
		fmt.Fprintf(&out, "frame %d: %s: %s", one.Frame, one.Rule, one.Detail)
	}
	return out.String()
}

// ValidateStream checks a whole stream against the grammar of a dialect: openai-chat,
// openai-responses, openai-completions, anthropic-messages, gemini (SSE or JSON array), ollama.
// It is strict: it asks for what our own encoders must produce, which is more than some providers
// give. Rules named in ignore are left out. The error is of type Violations. A stream that ends with
// a well-formed error event is valid.
func ValidateStream(dialect string, wire []byte, ignore ...string) error {
	for _, rule := range ignore {
		mustKnow(rule)
	}
	c := &checker{dialect: dialect}
	grammar := c.grammar(dialect)
	if grammar == nil {
		return fmt.Errorf("proxytest: no stream grammar for dialect %q", dialect)
	}
	c.run(grammar, wire)
	broken := slices.DeleteFunc(c.found, func(v Violation) bool { return slices.Contains(ignore, v.Rule) })
	if len(broken) == 0 {
		return nil
	}
	return broken
}

func mustKnow(rule string) {
	if rules[rule] == "" {
		panic("proxytest: unknown rule " + rule)
	}
}

// grammar is what differs between dialects. event sees each frame that is a JSON object.
type grammar interface {
	event(f Frame, o object)
	end()
}

type checker struct {
	dialect string
	found   Violations
	at      int    // the frame in hand
	ended   string // what ended the stream, "" before that
	marked  bool   // [DONE] was seen
	failed  bool   // an error event was seen
	usage   map[string]int64
}

func (c *checker) grammar(dialect string) grammar {
	switch dialect {
	case OpenAIChat:
		return &chatGrammar{checker: c}
	case OpenAICompletions:
		return &chatGrammar{checker: c, legacy: true}
	case OpenAIResponses:
		return &responsesGrammar{checker: c}
	case AnthropicMessages:
		return &messagesGrammar{checker: c}
	case Gemini:
		return &geminiGrammar{checker: c}
	case Ollama:
		return &ollamaGrammar{checker: c}
	}
	return nil
}

func (c *checker) fail(rule, format string, args ...any) {
	mustKnow(rule)
	c.found = append(c.found, Violation{rule, c.at, fmt.Sprintf(format, args...)})
}

// want reports a violation unless ok.
func (c *checker) want(ok bool, rule, format string, args ...any) {
	if !ok {
		c.fail(rule, format, args...)
	}
}

func (c *checker) run(g grammar, wire []byte) {
	frames, err := Frames(wire)
	c.want(len(frames) > 0, "stream/start", "no frames")
	marks := c.dialect == OpenAIChat || c.dialect == OpenAICompletions
	for i, f := range frames {
		c.at = i
		c.want(!f.Open, "frame/open", "the stream ends within the frame")
		if string(f.Data) == "[DONE]" {
			c.want(marks, "done/marker", "%s has none", c.dialect)
			c.want(!c.marked, "done/marker", "more than one")
			c.marked = true
			continue
		}
		c.want(!c.marked, "stream/end", "a frame after [DONE]")
		o, err := decodeObject(f.Data)
		if err != nil {
			c.fail("frame/json", "%v", err)
			continue
		}
		// Responses may say response.failed after an error event, for clients that know only one.
		if c.ended != "" && !(c.failed && o.str("type") == "response.failed") {
			c.fail("stream/end", "a frame after %s", c.ended)
		}
		g.event(f, o)
	}
	if err != nil {
		c.fail("frame/json", "%v", err)
	}
	if !c.failed {
		g.end()
		c.want(c.marked || !marks, "done/marker", "missing")
	}
}

// fault notes an error event, which ends the stream in every dialect.
func (c *checker) fault(ok bool, shape string) {
	c.failed, c.ended = true, "an error"
	c.want(ok, "stream/error", "want %s", shape)
}

// same checks that a value is there and that it is the one seen first.
func (c *checker) same(first *string, value, what string) {
	if value == "" {
		c.fail("id/present", "no %s", what)
		return
	}
	if *first == "" {
		*first = value
	}
	c.want(*first == value, "id/same", "%s %q, before %q", what, value, *first)
}

// grows checks that a usage number is there and not below the one seen before.
func (c *checker) grows(usage object, key string) {
	n, ok := usage.int(key)
	if !ok {
		c.fail("usage/present", "no %s", key)
		return
	}
	if c.usage == nil {
		c.usage = map[string]int64{}
	}
	c.want(n >= c.usage[key], "usage/falls", "%s %d after %d", key, n, c.usage[key])
	c.usage[key] = n
}

// details checks that a usage object has a detail object with a number in it.
func (c *checker) details(usage object, detail, key string) {
	_, ok := usage.obj(detail).int(key)
	c.want(ok, "usage/present", "no %s.%s", detail, key)
}

func isObjectJSON(text string) bool {
	_, err := decodeObject([]byte(text))
	return err == nil
}
