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

// managed is the management API.
var managed = []struct{ method, path, what string }{
	{"GET", "/korproxy/v1/status", "state, pid, version, address, open requests, problems"},
	{"GET", "/korproxy/v1/models", "the models with their providers, limits, list prices (estimates, with source and date) and abilities"},
	{"GET", "/korproxy/v1/accounts", "the accounts: where their keys come from (never the keys), how they fare, and their limits as the providers told them"},
	{"POST", "/korproxy/v1/test", "{\"target\": PROVIDER, PROVIDER/ACCOUNT or MODEL, \"paid\": bool}: tries accounts by real requests, the free ones first"},
	{"POST", "/korproxy/v1/keys", "{\"tool\": NAME} or {\"admin\": true}: the local key, made when there is none"},
	{"GET", "/korproxy/v1/keys", "the local keys by tool, masked"},
	{"DELETE", "/korproxy/v1/keys", "?tool=NAME or ?admin=true: revokes a local key at once"},
	{"POST", "/korproxy/v1/stop", "ends the daemon as SIGTERM does"},
}

// replyHeaders is every header of our own.
var replyHeaders = []struct{ name, what string }{
	{headerID, "the request's id, which also stands in the log"},
	{headerRoute, "provider/account/model that answered"},
	{headerError, "the code of a failure, see errors.md"},
	{headerLossy, "what the provider's API could not express, and what became of it"},
	{headerRepair, "what was changed after the provider refused the first try: reasoning_stripped, parameter_removed"},
	{headerEstimate, "true when a token count is a guess"},
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
## Management

Served on the daemon's socket, whose file mode is its guard, and on the port to the admin key
(`+"`korproxy key --admin`"+`). Errors are RFC 9457 problem documents with the code. What is listed here stays as it is within /v1;
fields may be added.

| Method | Path | What |
|---|---|---|
`)
	for _, r := range managed {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.method, r.path, r.what)
	}
	fmt.Fprint(b, "\n## Headers of a reply\n\n| Header | What it says |\n|---|---|\n")
	for _, h := range replyHeaders {
		fmt.Fprintf(b, "| %s | %s |\n", h.name, h.what)
	}
	return b.Flush()
}
