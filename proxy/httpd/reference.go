package httpd

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// further is every address that is not in the endpoints table.
var further = []struct{ method, path, what string }{
	{"POST", "/v1beta/models/{model}:generateContent", "Gemini; also :streamGenerateContent (SSE with ?alt=sse, else a JSON array), :countTokens, :embedContent, :batchEmbedContents; the same under /v1"},
	{"GET", "/v1/models", "the models that can be asked for; Anthropic's form with an anthropic-version header, Gemini's with x-goog-api-key, else OpenAI's"},
	{"GET", "/v1beta/models", "the same in Gemini's form"},
	{"GET", "/v1/models/{model}", "one model"},
	{"GET", "/v1/responses", "426: the Responses API is served by HTTP, not by WebSocket"},
	{"GET", "/api/tags", "the models in Ollama's form; no key needed"},
	{"POST", "/api/show", "one model in Ollama's form; no key needed"},
	{"GET", "/api/version", "the version of Ollama whose API is served; no key needed"},
	{"GET", "/api/ps", "no models are loaded; no key needed"},
	{"HEAD", "/v1", "an empty answer, which some tools ask for first; no key needed"},
	{"GET, HEAD", "/", "\"Ollama is running\"; no key needed"},
	{"GET", "/healthz", "the process is alive; no key needed"},
	{"GET", "/readyz", "new requests are taken, or 503 while stopping; no key needed"},
	{"GET", "/metrics", "counters for Prometheus"},
}

// replyHeaders is every header of our own.
var replyHeaders = []struct{ name, what string }{
	{headerID, "the request's id, which also stands in the log"},
	{headerClass, "what the request was taken for: completion, edit, chat, agent, embedding, helper or other"},
	{headerRoute, "`provider/account/model; attempt=N; rule=\"NAME\"`: what answered or failed last, after how many attempts, and what chose it, unless it was the model's own name"},
	{headerProfile, "the profile that was used, unless it is the default one"},
	{headerError, "the code of a failure, see errors.md"},
	{headerLossy, "what the provider's API could not express, and what became of it"},
	{headerRepair, "what was changed after the provider refused the first try: reasoning_stripped, parameter_removed"},
	{headerEstimate, "true when a token count is a guess"},
}

// queryOf shows a query's parameters in a path.
func queryOf(params []param) string {
	var names []string
	for _, p := range params {
		names = append(names, p.name)
	}
	if len(names) == 0 {
		return ""
	}
	return "?" + strings.Join(names, "=&") + "="
}

// WriteReference writes the page that lists every address.
func WriteReference(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, `# HTTP

Base URLs: `+"`http://127.0.0.1:1337/v1`"+` for tools that speak OpenAI, `+"`http://127.0.0.1:1337`"+` for those that speak
Anthropic, Gemini or Ollama. A doubled version (`+"`/v1/v1/…`"+`) and a missing one are understood.

The local key is taken from `+"`Authorization: Bearer`, `x-api-key`, `x-goog-api-key`, `api-key`, `?key=`"+`, or the path:
`+"`http://127.0.0.1:1337/k/KEY/v1`"+`.

This page is generated: change proxy/httpd and run `+"`make generate`"+`.

## For AI tools

| Method | Path | Dialect, operation |
|---|---|---|
`)
	for _, e := range endpoints {
		fmt.Fprintf(b, "| POST | %s | %s, %s |\n", strings.Join(e.paths, ", "), e.dialect, e.op)
	}
	for _, r := range further {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.method, r.path, r.what)
	}
	fmt.Fprint(b, `
## Profile and workspace of a request

| Where | What |
|---|---|
| header X-Korproxy-Profile | the profile of this request |
| path /p/PROFILE/… | the same, for tools that send no headers of one's choice: `+"`http://127.0.0.1:1337/p/work/v1`, also `/p/work/k/KEY/v1` and `/k/KEY/p/work/v1`"+` |
| header X-Korproxy-Workspace | the absolute folder the request is about; bytes that headers do not carry are percent-encoded. Anything else is ignored |
| the local key | what `+"`korproxy key --tool NAME --profile P --workspace DIR`"+` made it for |

The header goes before the path, and that before the key. None of them goes to the provider.

## Management

Served on the daemon's socket, whose file mode is its guard, and on the port to the admin key
(`+"`korproxy key --admin`"+`). Errors are RFC 9457 problem documents with the code. [openapi.json](openapi.json) has every body and
field; the daemon serves it at /korproxy/v1/openapi.json. HEAD is answered wherever GET is, and OPTIONS everywhere.

| Method | Path | What | Since |
|---|---|---|---|
`)
	for _, c := range allCalls() {
		fmt.Fprintf(b, "| %s | %s%s | %s | %s |\n", c.method, apiPath, c.path+queryOf(c.query), c.summary, c.since)
	}
	fmt.Fprintf(b, "| GET | %s/openapi.json | The OpenAPI 3.1 document of this table | 0.4 |\n", apiPath)
	fmt.Fprint(b, `
### Writes of the configuration

`+"`GET /config`"+` gives the text and a strong ETag. `+"`PUT /config`"+` takes a whole text and, in If-Match, the ETag of the text it was made
from: without one the answer is 428 (KP-HTTP-011), and 412 (KP-HTTP-010) when the file is another by now. A text with mistakes is
refused with all of them in `+"`problems`"+`, each with line and column, and nothing is changed. When the answer is 200, the text is in effect.

### What stays, and what may change

The version stands in the path. Within /korproxy/v1 an operation, a field and its meaning stay; operations, fields, and values of
lists that say so may be added, so clients pass over what they do not know.

What is to go is announced at least one year before: its answers then carry `+"`Deprecation: @UNIXTIME`"+` (RFC 9745) with the moment
from which it is deprecated, `+"`Sunset: HTTP-DATE`"+` (RFC 8594) with the moment it may be gone, and `+"`Link: <…>; rel=\"deprecation\"`"+` to what
takes its place; the OpenAPI document marks it `+"`deprecated`"+`, and the release notes list it. A change that breaks clients
comes as /korproxy/v2, and v1 is served beside it until its own Sunset. Security fixes may come sooner, and say so.
`)
	fmt.Fprint(b, "\n## Headers of a reply\n\n| Header | What it says |\n|---|---|\n")
	for _, h := range replyHeaders {
		fmt.Fprintf(b, "| %s | %s |\n", h.name, h.what)
	}
	return b.Flush()
}
