package secret

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

const plain = "sk-very-private-0123456789"

func TestValueNeverPrints(t *testing.T) {
	v := New(plain)
	type holder struct {
		Open   Value
		hidden Value
		list   []Value
		byName map[string]Value
		ptr    *Value
	}
	h := holder{v, v, []Value{v}, map[string]Value{"k": v}, &v}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%e", "%c", "%U", "%o", "%b", "%p", "%T", "%10.3s"} {
		for _, arg := range []any{v, &v, h, &h, []any{v}, fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(v)))} {
			got := fmt.Sprintf(verb, arg)
			if leaks(got) {
				t.Errorf("%s of %T prints %s", verb, arg, got)
			}
		}
	}
	for name, got := range map[string]string{"String": v.String(), "GoString": v.GoString(), "Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(&v)} {
		if !strings.Contains(got, redacted) || leaks(got) {
			t.Errorf("%s gives %q", name, got)
		}
	}
}

// leaks looks for the secret as it is, and for its first bytes in hexadecimal.
func leaks(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "private-0") || strings.Contains(s, fmt.Sprintf("%x", plain[:8]))
}

func TestValueNeverMarshals(t *testing.T) {
	v := New(plain)
	data := struct {
		Key  Value
		Keys []Value
		Map  map[string]Value
	}{v, []Value{v}, map[string]Value{"a": v}}
	j, err := json.Marshal(data)
	if err != nil || leaks(string(j)) || !strings.Contains(string(j), `"Key":"[redacted]"`) {
		t.Errorf("JSON: %s, %v", j, err)
	}
	x, err := xml.Marshal(xmlHolder{v})
	if err != nil || leaks(string(x)) {
		t.Errorf("XML: %s, %v", x, err)
	}
	text, err := v.MarshalText()
	if err != nil || string(text) != redacted {
		t.Errorf("text: %s, %v", text, err)
	}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		log := slog.New(handler(&b)).With("with", v)
		log.Info("x", "key", v, "ptr", &v, slog.Group("g", "in", v), "any", data)
		if leaks(b.String()) || !strings.Contains(b.String(), redacted) {
			t.Errorf("slog %s: %s", name, b.String())
		}
	}
}

func TestValue(t *testing.T) {
	if got := New(plain).Reveal(); got != plain {
		t.Errorf("reveals %q", got)
	}
	var zero Value
	if !zero.Empty() || zero.Reveal() != "" || !zero.Equal(New("")) || fmt.Sprint(zero) != redacted {
		t.Error("the zero value is not an empty secret")
	}
	if New("a").Equal(New("b")) || !New("a").Equal(New("a")) {
		t.Error("Equal does not compare texts")
	}
}

func TestRandomKey(t *testing.T) {
	look := regexp.MustCompile(`^kor-[a-z0-9]{40}$`)
	seen := map[string]bool{}
	for range 100 {
		k := RandomKey("kor-").Reveal()
		if !look.MatchString(k) || seen[k] {
			t.Fatalf("key %q", k)
		}
		seen[k] = true
		if got := Redact("key " + k); got != "key "+redacted {
			t.Fatalf("our own key is not found: %q", got)
		}
	}
}

func TestRedact(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"OpenAI", "bad key sk-proj-abc_DEF-123456.", "bad key [redacted]."},
		{"Anthropic", `{"k":"sk-ant-api03-AAbb"}`, `{"k":"[redacted]"}`},
		{"Google", "AIzaSyA1234567890abcdefghijklmnopqrstuv!", "[redacted]!"},
		{"Groq", "gsk_abcdefgh1234", "[redacted]"},
		{"xAI", "xai-abcdefgh1234", "[redacted]"},
		{"local", "kor-abcdefgh1234", "[redacted]"},
		{"bearer", "Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"},
		{"basic", "authorization=basic dXNlcjpwYXNz", "authorization=basic [redacted]"},
		{"query", "GET /v1beta/models?alt=sse&key=abc123&x=1", "GET /v1beta/models?alt=sse&key=[redacted]&x=1"},
		{"callback", "/cb?code=4/abc&state=xyz", "/cb?code=[redacted]&state=[redacted]"},
		{"path key", "http://127.0.0.1:1337/k/mytool-secret/v1/messages", "http://127.0.0.1:1337/k/[redacted]/v1/messages"},
		{"header", "X-Api-Key: abcdef", "X-Api-Key: [redacted]"},
		{"JSON field", `{"refresh_token": "abc", "n":1}`, `{"refresh_token": "[redacted]", "n":1}`},
		{"JSON in JSON", `{\"api_key\":\"abcdef\"}`, `{\"api_key\":\"[redacted]\"}`},
		{"token", "eyJhbGciOiJI.eyJzdWIiOiIx.c2ln end", "[redacted] end"},
		{"age key", "AGE-SECRET-KEY-1QQQQQQQQQQQ", "[redacted]"},
		{"known", "it was hunter2-hunter2!", "it was [redacted]!"},
		{"known, escaped", "q=a%2Fb+c%3D", "q=[redacted]"},
		{"words stay", "the task-force asked about risk-management; keyword=1, monkey: banana", "the task-force asked about risk-management; keyword=1, monkey: banana"},
		{"prose stays", "expects a bearer token", "expects a bearer token"},
		{"models stay", "gpt-6-sol claude-opus-5-5 kimi-k3 korproxy", "gpt-6-sol claude-opus-5-5 kimi-k3 korproxy"},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Redact(tc.text, New("hunter2-hunter2"), New("a/b c="), New("x"), Value{})
			if got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
			if again := Redact(got); again != got {
				t.Errorf("not stable: %q", again)
			}
		})
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("Bearer ", "\"}", uint64(1))
	f.Add("https://h/?key=", "&a=b", uint64(77))
	f.Add("\\\"api_key\\\":\\\"", "sk-", uint64(12345))
	f.Fuzz(func(t *testing.T, before, after string, n uint64) {
		key := fmt.Sprintf("%016x", n)
		if got := Redact(before+key+after, New(key)); strings.Contains(got, key) {
			t.Errorf("%q still holds %q", got, key)
		}
	})
}

type xmlHolder struct{ Key Value }
