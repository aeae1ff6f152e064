// Command goclients takes the vendors' Go SDKs through the checks that every
// client of test/clients goes through; ../js/harness.mjs has the same in
// another language.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

var (
	base = os.Getenv("KORPROXY_URL")
	key  = os.Getenv("KORPROXY_KEY")
)

// patience is how long one check may take.
const patience = 20 * time.Second

// client is one SDK.
type client interface {
	text(ctx context.Context, model, prompt string, o options) (said, error)
	loop(ctx context.Context, model, prompt string, stream bool) (calls []args, text string, err error)
	image(ctx context.Context, model, prompt, data string) (string, error)
	object(ctx context.Context, model, prompt string) (string, error)
	models(ctx context.Context) ([]string, error)
	// failure gives the status, 0 when the SDK shows none, and the words of an error.
	failure(err error) (status int, message string)
}

type embedder interface {
	embed(ctx context.Context, model string, texts []string) ([][]float64, error)
}

type counter interface {
	count(ctx context.Context, model, prompt string) (int64, error)
}

type options struct {
	system        string
	stream, think bool
}

type said struct {
	text, reasoning, stop string
	input, output         int64
}

type args struct {
	City string `json:"city"`
	Days int    `json:"days"`
}

var errNoEnd = errors.New("the stream has no end")

const (
	toolName    = "get_weather"
	description = "Says what the weather is in a city"
	pixel       = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)

var parameters = map[string]any{
	"type": "object",
	"properties": map[string]any{
		"city": map[string]any{"type": "string", "description": "Name of the city"},
		"days": map[string]any{"type": "integer", "minimum": 1},
		"unit": map[string]any{"type": "string", "enum": []string{"c", "f"}},
	},
	"required":             []string{"city"},
	"additionalProperties": false,
}

var schema = map[string]any{
	"type":                 "object",
	"properties":           map[string]any{"name": map[string]any{"type": "string"}, "age": map[string]any{"type": "integer"}},
	"required":             []string{"name", "age"},
	"additionalProperties": false,
}

func weather(a args) string {
	return map[string]string{"Paris": "21 degrees in Paris", "Oslo": "9 degrees in Oslo"}[a.City]
}

var upstreams = []string{"openai-chat", "openai-responses", "anthropic-messages", "gemini", "ollama"}

func main() {
	for _, one := range []struct {
		name string
		open func(key string) client
	}{
		{"openai chat", newChat},
		{"openai responses", newResponses},
		{"anthropic", newAnthropic},
		{"genai", newGenAI},
		{"ollama", newOllama},
	} {
		c := one.open(key)
		for _, upstream := range upstreams {
			for _, k := range checks(c, upstream) {
				check("go "+one.name+" > "+upstream+": "+k.name, k.run)
			}
		}
		for _, k := range general(c, one.open) {
			check("go "+one.name+k.name, k.run)
		}
		fmt.Println("end go", one.name)
	}
}

type named struct {
	name string
	run  func(context.Context) error
}

// check runs one check and prints its line. An SDK that does not come back is
// left behind.
func check(name string, run func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-time.After(patience + time.Second):
		err = errors.New("no answer within the time")
	}
	if err != nil {
		fmt.Printf("FAIL %s: %.900s\n", name, strings.ReplaceAll(err.Error(), "\n", " | "))
		return
	}
	fmt.Printf("ok   %s\n", name)
}

func same(got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("got %#v, want %#v", got, want)
}

func match(got, pattern string) error {
	if regexp.MustCompile(pattern).MatchString(got) {
		return nil
	}
	return fmt.Errorf("got %q, want a match of %s", got, pattern)
}

// refused checks how a call fails; a status of 0 is any.
func refused(c client, err error, status int, pattern string) error {
	if err == nil {
		return errors.New("no failure")
	}
	code, message := c.failure(err)
	if status != 0 && code != status {
		return fmt.Errorf("status %d, want %d: %w", code, status, err)
	}
	return match(message, pattern)
}

func checks(c client, upstream string) []named {
	model := "p-" + upstream + "/tester"
	hello := "Hello from " + upstream + ": naïve café, 漢字 🙂 \"quoted\" \\ and\na new line."
	var all []named
	both := func(name string, run func(context.Context, bool) error) {
		all = append(all, named{name, func(ctx context.Context) error { return run(ctx, false) }},
			named{name + ", streamed", func(ctx context.Context) error { return run(ctx, true) }})
	}
	// answers checks a text answer.
	answers := func(name, prompt string, o options, want said) {
		both(name, func(ctx context.Context, stream bool) error {
			o.stream = stream
			got, err := c.text(ctx, model, prompt, o)
			if err != nil {
				return err
			}
			return same(got, want)
		})
	}
	answers("text", "Hi", options{}, said{hello, "", "stop", 21, 9})
	answers("system", "[[system]]", options{system: "Be brief. «Été»"}, said{"I was told: Be brief. «Été»", "", "stop", 21, 9})
	answers("length", "[[long]]", options{}, said{hello, "", "length", 21, 9})
	answers("reasoning", "[[think]]", options{think: true}, said{hello, "First I think about it.", "stop", 21, 9})
	loops := func(name, prompt, pattern string, want ...args) {
		both(name, func(ctx context.Context, stream bool) error {
			calls, text, err := c.loop(ctx, model, prompt, stream)
			if err != nil {
				return err
			}
			return errors.Join(same(calls, want), match(text, pattern))
		})
	}
	loops("tool loop", "[[tool]]", `^Paris=.*21 degrees in Paris`, args{"Paris", 2})
	loops("parallel tools", "[[tools]]", `^Paris=.*21 degrees in Paris.*; Oslo=.*9 degrees in Oslo`, args{"Paris", 2}, args{"Oslo", 3})
	fails := func(name, model, prompt string, status int, pattern string) {
		both(name, func(ctx context.Context, stream bool) error {
			_, err := c.text(ctx, model, prompt, options{stream: stream})
			return refused(c, err, status, pattern)
		})
	}
	fails("rate limit", model, "[[error 429]]", 429, "scripted failure 429")
	fails("rejected account", model, "[[error 401]]", 401, "") // Ollama's SDK leaves the words out
	fails("model the provider lacks", "p-"+upstream+"/absent", "Hi", 404, "no model absent")
	for _, k := range []struct{ name, prompt, pattern string }{
		{"error in the stream", "[[break]]", "scripted failure in the stream"},
		{"cut stream", "[[cut]]", ""},
	} {
		all = append(all, named{k.name, func(ctx context.Context) error {
			_, err := c.text(ctx, model, k.prompt, options{stream: true})
			return refused(c, err, 0, k.pattern)
		}})
	}
	all = append(all, named{"image", func(ctx context.Context) error {
		b, err := base64.StdEncoding.DecodeString(pixel)
		if err != nil {
			return err
		}
		text, err := c.image(ctx, model, "[[image]]", pixel)
		return errors.Join(err, same(text, fmt.Sprintf("Saw image/png %x", sha256.Sum256(b))[:len("Saw image/png ")+12]))
	}}, named{"structured output", func(ctx context.Context) error { return person(ctx, c, model, "[[json]]", "Ada", 36) }})
	return append(all, counting(c, upstream, model)...)
}

func person(ctx context.Context, c client, model, prompt, name string, age int) error {
	text, err := c.object(ctx, model, prompt)
	if err != nil {
		return err
	}
	var got struct {
		Name string
		Age  int
	}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		return fmt.Errorf("%w in %q", err, text)
	}
	return errors.Join(same(got.Name, name), same(got.Age, age))
}

// counting checks what only some SDKs have: embeddings and token counts.
func counting(c client, upstream, model string) []named {
	var all []named
	if e, ok := c.(embedder); ok {
		all = append(all, named{"embeddings", func(ctx context.Context) error {
			got, err := e.embed(ctx, "p-"+upstream+"/embedder", []string{"one", "two"})
			if upstream == "anthropic-messages" || upstream == "openai-responses" {
				return refused(c, err, 501, "has no embeddings")
			}
			return errors.Join(err, same(got, [][]float64{{1, 0.5, -0.25, 0.125}, {2, 0.5, -0.25, 0.125}}))
		}})
	}
	if n, ok := c.(counter); ok {
		all = append(all, named{"token count", func(ctx context.Context) error {
			got, err := n.count(ctx, model, "How many tokens is this?")
			if err != nil || got == 17 {
				return err
			}
			if upstream == "anthropic-messages" || upstream == "gemini" || got < 4 || got > 100 {
				return fmt.Errorf("%d tokens", got)
			}
			return nil
		}})
	}
	return all
}

// general are the checks that need no upstream.
func general(c client, open func(string) client) []named {
	var all []named
	for _, stream := range []bool{false, true} {
		suffix := ""
		if stream {
			suffix = ", streamed"
		}
		all = append(all, named{" > sandbox: text" + suffix, func(ctx context.Context) error {
			got, err := c.text(ctx, "sandbox", "Hi", options{stream: stream})
			return errors.Join(err, match(got.text, "sandbox"), same(got.stop, "stop"))
		}}, named{" > sandbox: tool loop" + suffix, func(ctx context.Context) error {
			calls, text, err := c.loop(ctx, "sandbox", "Hi", stream)
			return errors.Join(err, same(calls, []args{{City: "sandbox"}}), match(text, "sandbox"))
		}})
	}
	return append(all,
		named{" > sandbox: structured output", func(ctx context.Context) error { return person(ctx, c, "sandbox", "Hi", "sandbox", 1) }},
		named{": unknown model", func(ctx context.Context) error {
			_, err := c.text(ctx, "nowhere-9", "Hi", options{})
			return refused(c, err, 404, "nowhere-9")
		}},
		named{": wrong local key", func(ctx context.Context) error {
			wrong := open("kor-wrong")
			_, err := wrong.text(ctx, "sandbox", "Hi", options{})
			return refused(wrong, err, 401, "")
		}},
		named{": models", func(ctx context.Context) error {
			ids, err := c.models(ctx)
			for _, u := range upstreams {
				if !slices.Contains(ids, "p-"+u+"/tester") {
					return fmt.Errorf("p-%s/tester is not among %v: %w", u, ids, err)
				}
			}
			return err
		}})
}
