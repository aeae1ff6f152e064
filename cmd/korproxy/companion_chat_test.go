package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
)

// A tool's result is a text in the dialect of the request: its images follow all
// results of the turn, before what comes next.
func TestChatShowsTheImagesOfResults(t *testing.T) {
	image := lsp.ChatPart{Type: "image", MIME: "image/png", Data: "AAAA"}
	result := func(id string, parts ...lsp.ChatPart) lsp.ChatPart {
		return lsp.ChatPart{Type: "toolResult", ID: id, Parts: parts}
	}
	text := func(s string) lsp.ChatPart { return lsp.ChatPart{Type: "text", Text: s} }
	for name, c := range map[string]struct {
		messages []lsp.ChatMessage
		want     string
	}{
		"with more to say": {[]lsp.ChatMessage{{Role: "user", Parts: []lsp.ChatPart{result("a", text("seen"), image), result("b", text("x")), text("go on")}}}, "tool tool user[image_url] user[text]"},
		"two messages":     {[]lsp.ChatMessage{{Role: "user", Parts: []lsp.ChatPart{result("a", image)}}, {Role: "user", Parts: []lsp.ChatPart{result("b", image)}}}, "tool tool user[image_url image_url]"},
		"an answer next":   {[]lsp.ChatMessage{{Role: "user", Parts: []lsp.ChatPart{result("a", image)}}, {Role: "assistant", Parts: []lsp.ChatPart{text("I see")}}}, "tool user[image_url] assistant[text]"},
		"no image":         {[]lsp.ChatMessage{{Role: "user", Parts: []lsp.ChatPart{result("a", text("x"))}}}, "tool"},
	} {
		t.Run(name, func(t *testing.T) {
			body, err := chatBody(&lsp.ChatParams{Model: "m", Messages: c.messages})
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Messages []struct {
					Role    string          `json:"role"`
					Content json.RawMessage `json:"content"`
				} `json:"messages"`
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			var words []string
			for _, m := range got.Messages {
				var parts []struct {
					Type string `json:"type"`
				}
				if m.Role != "tool" {
					if err := json.Unmarshal(m.Content, &parts); err != nil {
						t.Fatal(err)
					}
					var types []string
					for _, p := range parts {
						types = append(types, p.Type)
					}
					m.Role += "[" + strings.Join(types, " ") + "]"
				}
				words = append(words, m.Role)
			}
			if s := strings.Join(words, " "); s != c.want {
				t.Errorf("the messages are %s, not %s", s, c.want)
			}
			if strings.Contains(c.want, "image") && !strings.Contains(string(body), "data:image/png;base64,AAAA") {
				t.Errorf("the image is missing: %s", body)
			}
		})
	}
}

// What went wrong within a stream is told by its own code where that is known.
func TestChatKeepsTheCodeOfAStreamsError(t *testing.T) {
	for word, want := range map[string]fault.Code{
		`"context_length_exceeded"`: fault.ContextTooLong,
		`"upstream_stream_broken"`:  fault.StreamTruncated,
		`"insufficient_quota"`:      fault.QuotaExhausted,
		`"rate_limit_exceeded"`:     fault.RateLimit,
		`"something_else"`:          fault.StreamError,
		`429`:                       fault.StreamError,
		`null`:                      fault.StreamError,
	} {
		w := &chatWriter{}
		w.event(fmt.Appendf(nil, `{"error":{"message":"no more","type":"server_error","param":null,"code":%s}}`, word))
		if f := fault.As(w.failed); f.Code != want || f.Text() != "no more" {
			t.Errorf("%s becomes %s %q", word, f.Code, f.Text())
		}
	}
}
