package dialect

import (
	"slices"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// recordedRequest is a request as it was sent to a provider.
type recordedRequest struct {
	id, path string
	body     []byte
}

// askedOf gives the requests of a dialect that were answered, and those of the
// AI tools.
func askedOf(t testing.TB, d proxy.Dialect) []recordedRequest {
	t.Helper()
	var out []recordedRequest
	for _, x := range proxytest.Load(t).Dialect(string(d)) {
		if x.HasRequest() && x.Response.Status == 200 {
			out = append(out, recordedRequest{x.ID, x.Request.Path, x.Request.Body})
		}
	}
	for _, c := range proxytest.LoadClients(t) {
		if c.Dialect() == string(d) && c.Body != nil && !strings.Contains(c.Path, "ount") && !strings.Contains(c.Path, "compact") && !strings.Contains(c.Path, "generate?") {
			out = append(out, recordedRequest{c.Client + " " + c.Path, c.Path, c.Body})
		}
	}
	return out
}

// TestCrossRequests takes every recorded request to every other dialect. What
// does not arrive is in a Loss.
func TestCrossRequests(t *testing.T) {
	pairs(t, func(t *testing.T, from, d proxy.Dialect) {
		n := 0
		for _, r := range askedOf(t, from) {
			m, err := tryTranslate(from, r.body, to(d), nil)
			if err != nil {
				continue // refused in words; the codecs' own tests know why
			}
			n++
			again, err := tryTranslate(from, r.body, to(d), nil)
			if err != nil || string(again.body) != string(m.body) {
				t.Errorf("%s: another body the second time: %v", r.id, err)
			}
			want, err := proxytest.SummarizeRequest(string(from), r.path, r.body)
			if err != nil {
				t.Errorf("%s: %v", r.id, err)
				continue
			}
			got, err := proxytest.SummarizeRequest(string(d), "/v1beta/models/m:generateContent", m.body)
			if err != nil {
				t.Errorf("%s: %v\n%s", r.id, err, m.body)
				continue
			}
			sameRequest(t, r.id, m, flatRequest(want), flatRequest(got))
		}
		if n < 30 {
			t.Errorf("only %d requests", n)
		}
	})
}

// flatRequest is a request by kinds: kind, and what there is of it. Pictures
// and files are counted together: some dialects have one sort for both.
func flatRequest(s proxytest.RequestSummary) map[string][]string {
	out := map[string][]string{"texts": strings.Split(denseLines(s.System), "\n"), "tools": s.Tools}
	if f, _, _ := strings.Cut(s.Format, ":"); f != "" {
		out["format"] = []string{f}
	}
	if c := s.ToolChoice; c != "" && c != "auto" { // which is what no word means
		out["choice"] = []string{c}
	}
	add := func(kind string, values ...string) { out[kind] = append(out[kind], values...) }
	for _, t := range s.Turns {
		for _, text := range t.Texts {
			add("texts", dense(text))
		}
		add("media", t.Images...)
		add("media", t.Files...)
		for _, c := range t.ToolCalls {
			add("calls", c.Name+c.Args)
		}
		for _, r := range t.ToolResults {
			add("results", dense(r.Text))
			add("media", r.Images...)
			add("media", r.Files...)
		}
	}
	return out
}

// denseLines is a text of lines without other white space.
func denseLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = dense(lines[i])
	}
	return strings.Join(lines, "\n")
}

// excuses are the words of a Loss that explain what is missing of a kind.
var excuses = map[string][]string{
	"texts":  {"x-anthropic-billing-header"},
	"choice": {"tool_choice", "tools: "},
	"format": {"response_format", "format"},
	"media":  {"file", "image", "audio", "video", "media", "tool result without a call"},
	"calls":  {"arguments of", "one text", "provider's own tools"},
	"results": {
		"tool result without a call", "media in a tool result", "provider's own tools", // as text, or not at all
	},
}

// sameRequest makes sure that all of a request arrived, or is in a Loss.
func sameRequest(t *testing.T, id string, m *moved, want, got map[string][]string) {
	t.Helper()
	words := strings.Join(got["texts"], "")
	for _, kind := range []string{"texts", "tools", "choice", "format", "media", "calls", "results"} {
		var missing []string
		have := slices.Clone(got[kind])
		for _, w := range want[kind] {
			i := slices.Index(have, w)
			switch {
			case i >= 0:
				have = slices.Delete(have, i, i+1)
			case kind == "media" && len(have) > 0: // in another form, such as text of a file
				have = have[1:]
			case kind == "texts" && strings.Contains(words, w):
			case kind == "choice" && chosen(w, want, got):
			case kind == "results" && strings.Trim(w, "{}") == "": // nothing, which may be said in other ways
			case kind == "tools" && (!offered(w, want) || declared(w, got[kind])):
			default:
				missing = append(missing, w)
			}
		}
		if len(missing) > 0 && !slices.ContainsFunc(m.losses, func(l proxy.Loss) bool {
			return slices.ContainsFunc(excuses[kind], func(words string) bool { return strings.Contains(l.Field+": "+l.Note, words) })
		}) {
			t.Errorf("%s: %s that did not arrive: %q\nlosses %+v", id, kind, missing, m.losses)
		}
	}
}

// declared says whether a tool is among those sent: some are declared twice,
// and those of a namespace have its name before their own.
func declared(tool string, sent []string) bool {
	return slices.ContainsFunc(sent, func(s string) bool { return s == tool || strings.HasSuffix(s, "_"+tool) })
}

// offered says whether the model may call a tool by the choice that came with
// it. Toward dialects that cannot say so only the tools that it may are sent.
func offered(tool string, want map[string][]string) bool {
	for _, c := range want["choice"] {
		allowed, limited := strings.CutPrefix(c, "allowed:")
		if c == "none" || limited && !slices.Contains(strings.Split(allowed, ","), tool) {
			return false
		}
	}
	return true
}

// chosen says whether a choice is kept by the tools that are sent.
func chosen(choice string, want, got map[string][]string) bool {
	if choice == "none" || len(want["tools"]) == 0 {
		return len(got["tools"]) == 0
	}
	if !strings.HasPrefix(choice, "allowed:") {
		return false
	}
	return !slices.ContainsFunc(got["tools"], func(tool string) bool { return !offered(tool, want) })
}
