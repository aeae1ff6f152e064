package dialect

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// Contents of a message, in the chat dialect.
const (
	someAudio  = `{"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZF","format":"wav"}}`
	somePDF    = `{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQKJQ=="}}`
	someFileID = `{"type":"file","file":{"file_id":"file-1"}}`
	somePNG    = `{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}`
	someLink   = `{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`
)

func chatMessages(messages ...string) string {
	return `{"model":"m","messages":[` + strings.Join(messages, ",") + `]}`
}

func userSays(parts ...string) string {
	return `{"role":"user","content":[` + strings.Join(parts, ",") + `]}`
}

// TestALastMessageOfWhichNothingIsLeftIsRefused rather than sent as nothing.
func TestALastMessageOfWhichNothingIsLeftIsRefused(t *testing.T) {
	const (
		words  = `{"type":"text","text":"what is this"}`
		blank  = `{"type":"text","text":""}`
		reply  = `{"role":"assistant","content":"Hm."}`
		system = `{"role":"system","content":"Be brief."}`
	)
	result := `{"role":"assistant","content":null,"tool_calls":[` + aCall("a", "{}") + `]}` + aResult("a", "ok")
	for _, tc := range []struct {
		name    string
		to      proxy.Dialect
		body    string
		refused string // in the message; "" is sent
	}{
		{"audio to Anthropic", am, chatMessages(userSays(someAudio)), "user audio: the API takes none"},
		{"a file id to Anthropic", am, chatMessages(userSays(someFileID)), "user file: a file id means nothing to another API"},
		{"a file id to Gemini", gm, chatMessages(userSays(someFileID)), "user file: a file id"},
		{"a PDF to Ollama", ol, chatMessages(userSays(somePDF)), "user file: the API takes text and pictures only"},
		{"several, and an empty text", am, chatMessages(userSays(someAudio, blank, someFileID)), "nothing of the last user message can be sent to"},
		{"in two messages", am, chatMessages(userSays(someAudio), userSays(someAudio)), "user audio"},
		{"a system message behind it", ol, chatMessages(userSays(somePDF), system), "user file"},
		{"calls and results behind it", am, chatMessages(userSays(someAudio), result), "user audio"},
		{"words in an earlier turn", am, chatMessages(userSays(words), reply, userSays(someAudio)), "user audio"},
		{"words with it", am, chatMessages(userSays(words, someAudio)), ""},
		{"words in the message before it", ol, chatMessages(userSays(words), userSays(somePDF)), ""},
		{"a part that the target takes with it", am, chatMessages(userSays(someAudio, somePNG)), ""},
		{"an earlier turn", am, chatMessages(userSays(someAudio), reply, userSays(words)), ""},
		{"nothing was said at all", am, chatMessages(userSays(blank)), ""},
		{"a PDF to Anthropic", am, chatMessages(userSays(somePDF)), ""},
		{"audio to Gemini", gm, chatMessages(userSays(someAudio)), ""},
		{"a link to Ollama, which is fetched later", ol, chatMessages(userSays(someLink)), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tryTranslate(cc, []byte(tc.body), to(tc.to), nil)
			switch f := fault.As(err); {
			case tc.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.refused != "" && (err == nil || f.Code != fault.PartRefused || !strings.Contains(f.Message, tc.refused)):
				t.Errorf("got %v, want %q", err, tc.refused)
			}
		})
	}
}

// TestSeveralAnswersAreNotTranslated, and the reason is KorProxy's, not the
// provider's.
func TestSeveralAnswersAreNotTranslated(t *testing.T) {
	_, err := tryTranslate(cc, []byte(`{"model":"m","n":3,"messages":[{"role":"user","content":"hi"}]}`), to(gm), nil)
	if f := fault.As(err); f == nil || f.Code != fault.InvalidField || !strings.Contains(f.Message, "n: 3 answers were asked for, and KorProxy translates one") {
		t.Errorf("got %v", err)
	}
}
