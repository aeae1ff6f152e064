package proxytest

import (
	"bytes"
	"encoding/json"
	"testing"
)

// The tags of the corpus were set by another program than this one, so they can judge the summary.
func TestCorpusSummariesAgreeWithTags(t *testing.T) {
	checked := 0
	for _, x := range Load(t) {
		dialect := DialectOf(x.Request.Path)
		if dialect == "" || len(x.Wire()) == 0 {
			continue
		}
		checked++
		s, err := Summarize(dialect, x.Wire())
		if err != nil {
			t.Errorf("%s: %v", x.ID, err)
			continue
		}
		client := x.Has("tool-call")
		failed := x.Response.Status >= 400 || x.Has("error-in-stream") || x.Has("error-in-body")
		// The tag counts the pieces of a streamed Gemini call, and the calls of every choice.
		odd := x.Flaw() != "" || x.Has("n-choices") || x.ID == "gemini-gemini-0762fb5b08"
		for _, check := range []struct {
			what string
			bad  bool
		}{
			{"tool-call", x.Provider != "snowflake" && client != (len(s.ToolCalls) > 0)}, // its empty function_call is tagged too
			{"parallel-tools", !odd && x.Has("parallel-tools") != (len(s.ToolCalls) > 1)},
			{"error", failed != (s.Error != "")},
			{"max-tokens", x.Has("max-tokens") && s.Stop != StopLength},
			{"refusal", x.Has("refusal") && s.Stop != StopRefusal},
			{"pause-turn", x.Has("pause-turn") != (s.Stop == StopPause)},
			{"content-filter", x.Has("content-filter") && s.Stop != StopRefusal},
			{"n-choices", x.Has("n-choices") && x.Provider == "openai" && !failed && s.Choices < 2},
			{"cache", x.Has("cache") && s.Usage.CacheRead+s.Usage.CacheWrite == 0},
			{"no cache", !x.Has("cache") && x.Response.Status == 200 && s.Usage.CacheRead > 0},
			{"no-text", x.Has("no-text") && s.Text != ""},
			{"text", x.Has("text") && s.Text == "" && s.Commentary == ""},
			{"stop-sequence-hit", x.Has("stop-sequence-hit") && s.StopText == ""},
			{"stop", !failed && s.Stop == "" && !x.Has("background")},
			{"usage", x.Provider != "azure" && s.Usage.CacheRead+s.Usage.CacheWrite > s.Usage.Input},
		} {
			if check.bad {
				t.Errorf("%s: %s: %v\n%+v", x.ID, check.what, x.Features, s)
			}
		}
		for _, call := range s.ToolCalls {
			if call.Name == "" || !json.Valid([]byte(call.Args)) && s.Stop != StopLength {
				t.Errorf("%s: call %+v", x.ID, call)
			}
		}
	}
	if checked < 1500 {
		t.Errorf("only %d answers were checked", checked)
	}
}

func TestCorpusRequestsAgreeWithTags(t *testing.T) {
	checked := 0
	for _, x := range Load(t) {
		dialect := DialectOf(x.Request.Path)
		if dialect == "" || !x.HasRequest() {
			continue
		}
		checked++
		r, err := SummarizeRequest(dialect, x.Request.Path, x.Request.Body)
		if err != nil {
			t.Errorf("%s: %v", x.ID, err)
			continue
		}
		var all Turn
		roles := map[string]bool{}
		for _, turn := range r.Turns {
			roles[turn.Role] = true
			all.Images = append(all.Images, turn.Images...)
			all.Files = append(all.Files, turn.Files...)
			all.ToolCalls = append(all.ToolCalls, turn.ToolCalls...)
			all.ToolResults = append(all.ToolResults, turn.ToolResults...)
			all.Other = append(all.Other, turn.Other...)
		}
		for _, result := range all.ToolResults {
			all.Images = append(all.Images, result.Images...)
			all.Files = append(all.Files, result.Files...)
		}
		// Tools may also be added within the input, and a tag takes that, or an empty text, for a system.
		added := bytes.Contains(x.Request.Body, []byte(`"additional_tools"`))
		empty := added || bytes.Contains(x.Request.Body, []byte(`"systemInstruction":{"parts":{"text":""}}`))
		for _, check := range []struct {
			what string
			bad  bool
		}{
			{"stream", x.Response.Status == 200 && x.Stream != r.Stream && x.ID != "openai-completions-openai-955b726708"},
			{"model", r.Model == ""},
			{"turns", x.Response.Status == 200 && len(r.Turns) == 0},
			{"system", x.Has("system") && !empty && !roles["system"] && r.System == ""},
			{"no system", !x.Has("system") && !x.Has("mid-system") && (roles["system"] || r.System != "")},
			{"tools", x.Has("tools") && len(r.Tools)+len(r.Hosted) == 0},
			{"no tools", !x.Has("tools") && !added && len(r.Tools) > 0},
			{"tool-result", x.Has("tool-result") != (len(all.ToolResults) > 0)},
			{"multi-turn", x.Has("multi-turn") && !x.Has("previous-response") && !roles["assistant"]},
			{"image", x.Has("image") && len(all.Images) == 0},
			{"pdf", x.Has("pdf") && len(all.Files) == 0},
			{"tool-choice", x.ID != "gemini-gemini-4ec221f13d" && x.Has("tool-choice") != (r.ToolChoice != "" && r.ToolChoice != "auto")},
			{"stop-sequence", x.Has("stop-sequence") != (len(r.Stop) > 0)},
			{"json-schema", x.Has("json-schema") && len(r.Format) < len("schema:{}")},
		} {
			if check.bad {
				t.Errorf("%s: %s: %v\n%s\n%+v", x.ID, check.what, x.Features, x.Request.Path, r)
			}
		}
	}
	if checked < 1400 {
		t.Errorf("only %d requests were checked", checked)
	}
}
