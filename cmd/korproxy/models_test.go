package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// listOf is a model list in a dialect.
func listOf(dialect string, names ...string) proxytest.Reply {
	var items []string
	for _, n := range names {
		if dialect == proxytest.Gemini {
			n = "models/" + n
		}
		items = append(items, fmt.Sprintf(map[string]string{
			proxytest.OpenAIChat:        `{"id":%q,"object":"model","created":1,"owned_by":"x"}`,
			proxytest.AnthropicMessages: `{"id":%q,"type":"model","display_name":"A model","created_at":"2026-01-01T00:00:00Z"}`,
			proxytest.Gemini:            `{"name":%q,"displayName":"A model","inputTokenLimit":1000,"outputTokenLimit":100,"supportedGenerationMethods":["generateContent"]}`,
			proxytest.Ollama:            `{"name":%[1]q,"model":%[1]q,"modified_at":"2026-01-01T00:00:00Z","size":1,"digest":"d","details":{}}`,
		}[dialect], n))
	}
	all := strings.Join(items, ",")
	return proxytest.JSON(200, map[string]string{
		proxytest.OpenAIChat:        `{"object":"list","data":[` + all + `]}`,
		proxytest.AnthropicMessages: `{"data":[` + all + `],"has_more":false,"first_id":null,"last_id":null}`,
		proxytest.Gemini:            `{"models":[` + all + `]}`,
		proxytest.Ollama:            `{"models":[` + all + `]}`,
	}[dialect])
}

// modelIDs are the providers' models in the OpenAI form of the list.
func modelIDs(t *testing.T, d *running) []string {
	t.Helper()
	return slices.DeleteFunc(listedIDs(t, d), func(id string) bool { return !strings.Contains(id, "/") })
}

// listedIDs are all names in the OpenAI form of the list.
func listedIDs(t *testing.T, d *running) []string {
	t.Helper()
	var ids []string
	list, _ := d.do(http.MethodGet, "/v1/models", nil).JSON(t)["data"].([]any)
	for _, m := range list {
		id, _ := m.(map[string]any)["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func TestTheListsOfAllProvidersAreMerged(t *testing.T) {
	toml := ""
	for _, d := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages, proxytest.Gemini, proxytest.Ollama} {
		toml += providerTOML("to-"+d, d, proxytest.NewProvider(t, listOf(d, "one", "two")))
	}
	d := startDaemon(t, toml)
	ids := modelIDs(t, d)
	for _, dialect := range []string{proxytest.OpenAIChat, proxytest.AnthropicMessages, proxytest.Gemini, proxytest.Ollama} {
		for _, m := range []string{"one", "two"} {
			if id := "to-" + dialect + "/" + m; !slices.Contains(ids, id) {
				t.Errorf("%s is missing in %v", id, ids)
			}
		}
	}
	for _, tc := range []struct {
		path, header, want string
	}{
		{"/v1/models", "Anthropic-Version", `"type":"model"`},
		{"/v1beta/models", "", `"name":"models/to-gemini/one"`},
		{"/v1/models", "X-Goog-Api-Key", `"name":"models/to-gemini/one"`},
		{"/api/tags", "", `"to-ollama/one`},
		{"/v1/models/to-gemini/one", "", `"id":"to-gemini/one"`},
		{"/v1beta/models/to-gemini/one", "", `"name":"models/to-gemini/one"`},
	} {
		header := []string{}
		if tc.header != "" {
			header = []string{tc.header, d.Key}
		}
		if a := d.do(http.MethodGet, tc.path, nil, header...); a.Status != 200 || !strings.Contains(string(a.Body), tc.want) {
			t.Errorf("%s %s: got %d %s", tc.path, tc.header, a.Status, a.Body)
		}
	}
}

// TestNamesThatStandForModelsAreListed in every dialect, before the models and none
// twice: pickers offer nothing else.
func TestNamesThatStandForModelsAreListed(t *testing.T) {
	p := proxytest.NewProvider(t, listOf(proxytest.Gemini, "one", "two"))
	d := startDaemon(t, providerTOML("prov", proxytest.Gemini, p)+`
[aliases]
myalias = "prov/one"
nowhere = "groq/llama"
smart = "prov/two"
"prov/two" = "prov/one"
[groups.team]
members = ["prov/one", "prov/two"]
`)
	want := []string{"auto", "fast", "smart", "myalias", "prov/two", "team", "prov/one"}
	if ids := listedIDs(t, d); !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	for _, tc := range []struct{ path, header, want string }{
		{"/v1/models", "Anthropic-Version", `"display_name":"myalias"`},
		{"/v1beta/models", "", `"name":"models/team"`},
		{"/v1beta/models", "", `"displayName":"myalias","inputTokenLimit":1000`},
		{"/api/tags", "", `"model":"myalias"`},
		{"/v1/models/team", "", `"id":"team"`},
	} {
		header := []string{}
		if tc.header != "" {
			header = []string{tc.header, d.Key}
		}
		if a := d.do(http.MethodGet, tc.path, nil, header...); a.Status != 200 || !strings.Contains(string(a.Body), tc.want) {
			t.Errorf("%s: got %d %s", tc.path, a.Status, a.Body)
		}
	}
	if a := d.post("/api/show", `{"model":"myalias:latest"}`); !strings.Contains(string(a.Body), `"korproxy.context_length":1000`) {
		t.Errorf("the alias is shown as %s", a.Body)
	}
	p.On("/v1beta/models/one:generateContent", whole(proxytest.Gemini, "Hi"))
	for _, name := range []string{"myalias", "prov/two"} {
		if a := d.post(ask(proxytest.Gemini, name, false)); a.Status != 200 {
			t.Errorf("%s: got %d %s", name, a.Status, a.Body)
		}
	}
}

func TestAProviderThatHangsHoldsUpNobody(t *testing.T) {
	good := proxytest.NewProvider(t, listOf(proxytest.OpenAIChat, "one"))
	hangs := proxytest.NewProvider(t, listOf(proxytest.OpenAIChat, "two").Stall())
	d := startDaemon(t, providerTOML("good", "openai-chat", good)+providerTOML("hangs", "openai-chat", hangs))
	began := time.Now()
	for range 20 {
		modelIDs(t, d)
	}
	if took := time.Since(began); took > listPatience+patience/4 {
		t.Errorf("twenty lists took %v", took)
	}
	if ids := modelIDs(t, d); !slices.Equal(ids, []string{"good/one"}) {
		t.Errorf("got %v", ids)
	}
	if n := len(good.Seen()); n != 1 {
		t.Errorf("the list was read %d times", n)
	}
	hangs.Release()
	eventually(t, "the late list is there", func() bool { return slices.Contains(modelIDs(t, d), "hangs/two") })
}

func TestAnUnknownModelIsTheCallersNotFound(t *testing.T) {
	p := proxytest.NewProvider(t, listOf(proxytest.OpenAIChat, "gpt-5-mini", "gpt-5", "o3"))
	d := startDaemon(t, providerTOML("prov", "openai-chat", p))
	for _, from := range fiveDialects {
		path, body := ask(from, "gpt-5-mni", false)
		a := d.post(path, body)
		sum, err := proxytest.Summarize(from, a.Body)
		if a.Status != 404 || a.Header.Get("X-Korproxy-Error") != "KP-ROUTE-001" || err != nil || !strings.Contains(sum.Error, "prov/gpt-5-mini") {
			t.Errorf("%s: got %d %s", from, a.Status, a.Body)
		}
	}
	path, body := ask(proxytest.OpenAIChat, "gpt-5", false)
	p.On("/v1/chat/completions", whole(proxytest.OpenAIChat, "Hi"))
	if a := d.post(path, body); a.Status != 200 {
		t.Errorf("a bare name that is listed: got %d %s", a.Status, a.Body)
	}
}

func TestListsAreKeptBetweenRuns(t *testing.T) {
	p := proxytest.NewProvider(t, listOf(proxytest.OpenAIChat, "one"))
	first := startDaemon(t, providerTOML("prov", "openai-chat", p))
	if ids := modelIDs(t, first); !slices.Equal(ids, []string{"prov/one"}) {
		t.Fatalf("got %v", ids)
	}
	first.stop()
	first.resume(t)
	if ids := modelIDs(t, first); !slices.Equal(ids, []string{"prov/one"}) || len(p.Seen()) != 1 {
		t.Errorf("got %v after %d reads", ids, len(p.Seen()))
	}
}

func TestBaseURLsAreTakenAsVendorsWriteThem(t *testing.T) {
	for _, tc := range []struct{ dialect, base, want string }{
		{proxytest.OpenAIChat, "", "/v1/chat/completions"},
		{proxytest.OpenAIChat, "/", "/v1/chat/completions"},
		{proxytest.OpenAIChat, "/v1", "/v1/chat/completions"},
		{proxytest.OpenAIChat, "/v1/", "/v1/chat/completions"},
		{proxytest.OpenAIChat, "/api/paas/v4", "/api/paas/v4/chat/completions"},
		{proxytest.OpenAIResponses, "", "/v1/responses"},
		{proxytest.OpenAIResponses, "/openai/v1", "/openai/v1/responses"},
		{proxytest.AnthropicMessages, "", "/v1/messages"},
		{proxytest.AnthropicMessages, "/v1", "/v1/messages"},
		{proxytest.AnthropicMessages, "/anthropic/", "/anthropic/v1/messages"},
		{proxytest.Gemini, "", "/v1beta/models/m:generateContent"},
		{proxytest.Gemini, "/v1beta", "/v1beta/models/m:generateContent"},
		{proxytest.Ollama, "", "/api/chat"},
		{proxytest.Ollama, "/v1", "/api/chat"},
		{proxytest.Ollama, "/api", "/api/chat"},
	} {
		t.Run(tc.dialect+" at "+tc.base, func(t *testing.T) {
			p := proxytest.NewProvider(t, whole(tc.dialect, "Hi"))
			d := startDaemon(t, "[providers.prov]\ndialect = \""+tc.dialect+"\"\nbase_url = \""+p.URL+tc.base+"\"\n")
			for i, from := range []string{tc.dialect, fiveDialects[(slices.Index(fiveDialects, tc.dialect)+1)%5]} {
				path, body := ask(from, "prov/m", false)
				if a := d.post(path, body); a.Status != 200 || p.Seen()[i].Path != tc.want {
					t.Errorf("%s: got %d at %s", from, a.Status, p.Seen()[i].Path)
				}
			}
		})
	}
}
