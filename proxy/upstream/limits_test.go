package upstream

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/dialect"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// headers makes a header of "name: value" lines.
func headers(lines ...string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, ": ")
		h.Add(name, value)
	}
	return h
}

func TestLimitsOfHeaders(t *testing.T) {
	limit := func(source, name string, limit, remaining int64, used float64, reset time.Duration) proxy.Limit {
		l := proxy.Limit{Name: name, Limit: limit, Remaining: remaining, Used: used, Source: source, Seen: noon}
		if reset != 0 {
			l.Reset = noon.Add(reset)
		}
		return l
	}
	for _, tc := range []struct {
		name string
		h    http.Header
		want []proxy.Limit
	}{
		{"none", headers("x-request-id: req_1", "x-should-retry: true", "retry-after: 5", "age: 3", "anthropic-organization-id: org"), nil},
		{
			"Anthropic key",
			headers("anthropic-ratelimit-requests-limit: 50", "anthropic-ratelimit-requests-remaining: 49", "anthropic-ratelimit-requests-reset: 2026-11-21T12:00:02Z",
				"anthropic-ratelimit-input-tokens-limit: 30000", "anthropic-ratelimit-input-tokens-remaining: 0", "anthropic-ratelimit-input-tokens-reset: 2026-11-21T12:00:34Z"),
			[]proxy.Limit{limit("anthropic-ratelimit-input-tokens", "input-tokens", 30000, 0, 1, 34*time.Second), limit("anthropic-ratelimit-requests", "requests", 50, 49, 0.02, 2*time.Second)},
		},
		{
			"Anthropic plan",
			headers("anthropic-ratelimit-unified-status: allowed_warning", "anthropic-ratelimit-unified-reset: 1795267800", "anthropic-ratelimit-unified-5h-status: allowed",
				"anthropic-ratelimit-unified-5h-utilization: 0.42", "anthropic-ratelimit-unified-5h-reset: 1795267800", "anthropic-ratelimit-unified-7d_oi-status: rejected",
				"anthropic-ratelimit-unified-7d_oi-utilization: 1.2", "anthropic-ratelimit-unified-fallback-percentage: 0.5"),
			[]proxy.Limit{
				limit("anthropic-ratelimit-unified-5h", "5h", -1, -1, 0.42, 90*time.Minute),
				limit("anthropic-ratelimit-unified-7d_oi", "7d_oi", -1, 0, 1, 0),
				limit("anthropic-ratelimit-unified", "plan", -1, -1, -1, 90*time.Minute),
			},
		},
		{
			"OpenAI",
			headers("x-ratelimit-limit-requests: 500", "x-ratelimit-remaining-requests: 499", "x-ratelimit-reset-requests: 120ms",
				"x-ratelimit-limit-tokens: 30000", "x-ratelimit-remaining-tokens: 15000", "x-ratelimit-reset-tokens: 6m0s"),
			[]proxy.Limit{limit("x-ratelimit", "requests", 500, 499, 1-499.0/500, 120*time.Millisecond), limit("x-ratelimit", "tokens", 30000, 15000, 0.5, 6*time.Minute)},
		},
		{
			"Groq",
			headers("x-ratelimit-limit-requests: 14400", "x-ratelimit-remaining-requests: 14370", "x-ratelimit-reset-requests: 2m59.56s"),
			[]proxy.Limit{limit("x-ratelimit", "requests", 14400, 14370, 1-14370.0/14400, 179560*time.Millisecond)},
		},
		{
			"Mistral",
			headers("x-ratelimit-limit-req-minute: 60", "x-ratelimit-remaining-req-minute: 59", "x-ratelimit-tokens-query-cost: 12", "x-ratelimit-remaining-tokens-minute: 0"),
			[]proxy.Limit{limit("x-ratelimit", "requests per minute", 60, 59, 1-59.0/60, 0), limit("x-ratelimit", "tokens per minute", -1, 0, -1, 0)},
		},
		{
			"Mistral, older",
			headers("ratelimitbysize-limit: 500000", "ratelimitbysize-remaining: 499000", "ratelimitbysize-reset: 20"),
			[]proxy.Limit{limit("ratelimitbysize", "tokens", 500000, 499000, 1-499000.0/500000, 20*time.Second)},
		},
		{
			"OpenRouter, in milliseconds",
			headers("X-RateLimit-Limit: 20", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1795262460000"),
			[]proxy.Limit{limit("x-ratelimit", "requests", 20, 0, 1, time.Minute)},
		},
		{
			"Azure, without a limit",
			headers("x-ratelimit-remaining-requests: 9", "x-ratelimit-remaining-tokens: 9000", "x-ratelimit-reset-tokens: 10"),
			[]proxy.Limit{limit("x-ratelimit", "requests", -1, 9, -1, 0), limit("x-ratelimit", "tokens", -1, 9000, -1, 10*time.Second)},
		},
		{
			"Cerebras",
			headers("x-ratelimit-limit-requests-day: 14400", "x-ratelimit-remaining-requests-day: 14399", "x-ratelimit-reset-requests-day: 33011.382867097855"),
			[]proxy.Limit{limit("x-ratelimit", "requests per day", 14400, 14399, 1-14399.0/14400, 33011382867097*time.Nanosecond)},
		},
		{
			"Codex",
			headers("x-codex-primary-used-percent: 42.5", "x-codex-primary-window-minutes: 300", "x-codex-primary-reset-at: 1795262520", "x-codex-secondary-used-percent: 100",
				"x-codex-secondary-window-minutes: 10080", "x-codex-secondary-reset-after-seconds: 3600",
				"x-codex-credits-balance: 3.5", "x-codex-credits-unlimited: False", "x-free-credits-balance: 0", "x-free-credits-unlimited: True"),
			[]proxy.Limit{limit("x-codex-primary", "5h", -1, -1, 0.425, 2*time.Minute), limit("x-codex-secondary", "7d", -1, -1, 1, time.Hour), limit("x-codex-credits", "credits", -1, 3, -1, 0)},
		},
		{
			"Codex, another limit and no window",
			headers("x-other-primary-used-percent: 7"),
			[]proxy.Limit{limit("x-other-primary", "primary", -1, -1, 0.07, 0)},
		},
		{
			"the draft, in three headers",
			headers("RateLimit-Limit: 100, 100;w=60", "RateLimit-Remaining: 25", "RateLimit-Reset: 30", "RateLimit-Policy: 100;w=60"),
			[]proxy.Limit{limit("ratelimit", "requests", 100, 25, 0.75, 30*time.Second)},
		},
		{"the draft, in one", headers("RateLimit: limit=100, remaining=50, reset=50"), []proxy.Limit{limit("ratelimit", "requests", 100, 50, 0.5, 50*time.Second)}},
		{
			"the draft, structured",
			headers(`RateLimit: "default";r=50;t=30, "day";r=7;t=3600;pk=:abc:`, `RateLimit-Policy: "default";q=100;w=60`),
			[]proxy.Limit{limit("ratelimit", "day", -1, 7, -1, time.Hour), limit("ratelimit", "requests", -1, 50, -1, 30*time.Second)},
		},
		{"an HTTP date", headers("x-ratelimit-remaining: 1", "x-ratelimit-reset: Sat, 21 Nov 2026 12:01:00 GMT"), []proxy.Limit{limit("x-ratelimit", "requests", -1, 1, -1, time.Minute)}},
		{"words for numbers", headers("x-ratelimit-limit-requests: unlimited", "x-ratelimit-remaining-requests: -1", "x-ratelimit-reset-requests: soon"), nil},
		{"numbers out of reason", headers("x-ratelimit-reset-requests: 99999999999999999999", "x-ratelimit-remaining-requests: 1e300", "x-codex-primary-used-percent: NaN"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
			soon := cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond })
			if diff := cmp.Diff(tc.want, limitsOf(tc.h, noon), near, soon); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An answer without such headers must cost nothing to speak of.
func TestNoLimitsAllocateNothing(t *testing.T) {
	h := headers("x-request-id: req_1", "cf-ray: 1", "strict-transport-security: max-age=1", "date: x", "server: cloudflare", "x-envoy-upstream-service-time: 5", "retry-after: 3")
	if n := testing.AllocsPerRun(100, func() { limitsOf(h, noon) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLimitsOf(b *testing.B) {
	none := headers("x-request-id: req_1", "cf-ray: 1", "strict-transport-security: max-age=1", "date: x", "server: cloudflare", "x-envoy-upstream-service-time: 5")
	some := none.Clone()
	for _, what := range []string{"Requests", "Tokens"} {
		some["X-Ratelimit-Limit-"+what], some["X-Ratelimit-Remaining-"+what], some["X-Ratelimit-Reset-"+what] = []string{"500"}, []string{"499"}, []string{"120ms"}
	}
	for name, h := range map[string]http.Header{"none": none, "some": some} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				limitsOf(h, noon)
			}
		})
	}
}

func TestParseReset(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1s": time.Second, "6m0s": 6 * time.Minute, "12ms": 12 * time.Millisecond, "1d2h": 26 * time.Hour, "1d": 24 * time.Hour, "0.5": 500 * time.Millisecond,
		"1795262401": time.Second, "1795262401000": time.Second, "2026-11-21T12:00:05Z": 5 * time.Second, "2026-11-21T13:00:05+01:00": 5 * time.Second,
	} {
		if got := parseReset(text, noon); !got.Equal(noon.Add(want)) {
			t.Errorf("%q: %v, want %v later", text, got, want)
		}
	}
	for _, text := range []string{"", "soon", "-5", "-1s", "NaN", "+Inf", "d", "xd", "1e999", "9999-01-01T00:00:00Z", "1000d", strings.Repeat("1", 80)} {
		if got := parseReset(text, noon); !got.IsZero() {
			t.Errorf("%q: %v, want none", text, got)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	for _, tc := range []struct {
		name  string
		reply proxytest.Reply
		want  []proxy.Limit
		wait  time.Duration
	}{
		{"Gemini, a minute", proxytest.GeminiExhausted(), []proxy.Limit{{Name: "requests per minute", Limit: 15, Remaining: 0, Used: 1, Reset: noon.Add(26 * time.Second), Source: "body", Seen: noon}}, 0},
		{"Gemini, a day", proxytest.GeminiExhaustedDay(), []proxy.Limit{{Name: "requests per day", Limit: 200, Remaining: 0, Used: 1, Source: "body", Seen: noon}}, 0},
		{
			"a plan's window", proxytest.JSON(429, `{"error":{"type":"usage_limit_reached","message":"no","plan_type":"plus","resets_at":1795266000,"resets_in_seconds":3600}}`),
			[]proxy.Limit{{Name: "plan", Limit: -1, Remaining: 0, Used: 1, Reset: noon.Add(time.Hour), Source: "body", Seen: noon}},
			time.Hour,
		},
		{
			"a plan's window, in seconds", proxytest.JSON(429, `[{"error":{"type":"usage_limit_reached","resets_in_seconds":60}}]`),
			[]proxy.Limit{{Name: "plan", Limit: -1, Remaining: 0, Used: 1, Reset: noon.Add(time.Minute), Source: "body", Seen: noon}},
			time.Minute,
		},
		{
			"OpenRouter", proxytest.JSON(429, `{"error":{"message":"Rate limit exceeded: free-models-per-day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795266000000"}}}}`),
			[]proxy.Limit{{Name: "requests", Limit: 50, Remaining: 0, Used: 1, Reset: noon.Add(time.Hour), Source: "body", Seen: noon}},
			0,
		},
		{"OpenAI", proxytest.OpenAIRateLimit(), nil, 0},
		{"a page", proxytest.HTMLPage(429), nil, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, wait := bodyLimits(tc.reply.Body, noon)
			if diff := cmp.Diff(tc.want, got); diff != "" || wait != tc.wait {
				t.Errorf("wait %v, %s", wait, diff)
			}
		})
	}
}

// Every recorded answer of a provider is read, and what it tells makes sense.
func TestLimitsOfRecordedAnswers(t *testing.T) {
	told := 0
	for _, x := range proxytest.Load(t) {
		limits := limitsOf(x.Response.Header, noon)
		if x.Response.Status >= 400 {
			more, _ := bodyLimits(x.Response.Body, noon)
			limits = append(limits, more...)
		}
		for _, l := range limits {
			told++
			if l.Name == "" || l.Source == "" || l.Limit < -1 || l.Remaining < -1 || l.Used > 1 || l.Seen.IsZero() || l.Limit == -1 && l.Remaining == -1 && l.Used == -1 && l.Reset.IsZero() {
				t.Errorf("%s: %+v", x.ID, l)
			}
		}
	}
	t.Logf("%d limits", told)
}

// The class of a failure decides what is done about it, whatever dialect it
// came in; these are the rows of it that headers and bodies decide together.
func TestReadFaultClasses(t *testing.T) {
	for _, tc := range []struct {
		name    string
		dialect proxy.Dialect
		reply   proxytest.Reply
		want    fault.Code
		wait    time.Duration
	}{
		{"retry-after-ms wins", proxy.OpenAIChat, proxytest.OpenAIRateLimit(), fault.RateLimit, 1200 * time.Millisecond},
		{"in words", proxy.OpenAIResponses, proxytest.JSON(429, `{"error":{"message":"Rate limit reached. Please try again in 300ms.","code":"rate_limit_exceeded"}}`), fault.RateLimit, 300 * time.Millisecond},
		{"OpenAI quota", proxy.OpenAIChat, proxytest.OpenAIQuota(), fault.QuotaExhausted, 0},
		{"OpenAI spend limit", proxy.OpenAIResponses, proxytest.JSON(429, `{"error":{"message":"no","type":"insufficient_quota","code":"project_spend_limit_exceeded"}}`), fault.QuotaExhausted, 0},
		{"Anthropic spend limit as 400", proxy.AnthropicMessages, proxytest.JSON(400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}`), fault.QuotaExhausted, 0},
		{"a cap without a word", proxy.AnthropicMessages, proxytest.JSON(429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed a limit."}}`).With("X-Should-Retry", "false"), fault.QuotaExhausted, 0},
		{"a limit to be tried again", proxy.AnthropicMessages, proxytest.AnthropicRateLimit().With("X-Should-Retry", "false"), fault.RateLimit, 34 * time.Second},
		{"a plan's window", proxy.OpenAIResponses, proxytest.JSON(429, `{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","resets_in_seconds":60}}`), fault.QuotaExhausted, time.Minute},
		{"Gemini day", proxy.Gemini, proxytest.GeminiExhaustedDay(), fault.QuotaExhausted, 0},
		{"Gemini minute", proxy.Gemini, proxytest.GeminiExhausted(), fault.RateLimit, 26 * time.Second},
		{"Gemini key", proxy.Gemini, proxytest.GeminiKeyInvalid(), fault.ProviderKey, 0},
		{"no balance", proxy.OpenAIChat, proxytest.JSON(402, `{"error":{"message":"Insufficient Balance"}}`), fault.QuotaExhausted, 0},
		{"a plan that is not eligible", proxy.OpenAIResponses, proxytest.JSON(403, `{"detail":"subscription_sharing_user_not_eligible"}`), fault.PolicyRefused, 0},
		{"a route that is not served", proxy.OpenAIResponses, proxytest.JSON(403, `{"error":{"message":"no","code":"subscription_sharing_route_not_supported"}}`), fault.PolicyRefused, 0},
		{"a plan used up", proxy.OpenAIResponses, proxytest.JSON(403, `{"error":{"message":"no","code":"subscription_sharing_usage_limit_exceeded"}}`), fault.QuotaExhausted, 0},
		{"a client no longer served", proxy.Gemini, proxytest.JSON(403, `{"error":{"code":403,"message":"This client is no longer supported.","status":"PERMISSION_DENIED"}}`), fault.PolicyRefused, 0},
		{"a credential of another tool", proxy.AnthropicMessages, proxytest.JSON(403, `{"type":"error","error":{"type":"permission_error","message":"This credential is only authorized for use with Claude Code"}}`), fault.PolicyRefused, 0},
		{"no access", proxy.AnthropicMessages, proxytest.JSON(403, `{"type":"error","error":{"type":"permission_error","message":"Your key cannot use this model"}}`), fault.ProviderDenied, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &proxy.Reply{Status: tc.reply.Status, Header: tc.reply.Header.Clone()}
			dog := newWatchdog(t.Context(), 0, 0)
			readFault(r, &watchedBody{body: io.NopCloser(strings.NewReader(string(tc.reply.Body))), dog: dog}, dialect.For(tc.dialect))
			if r.Fault.Code != tc.want || (r.Fault.RetryAfter-tc.wait).Abs() > time.Second {
				t.Errorf("got %s, retry after %v, want %s, %v", r.Fault.Code, r.Fault.RetryAfter, tc.want, tc.wait)
			}
		})
	}
}

func FuzzLimits(f *testing.F) {
	f.Add("X-Ratelimit-Reset-Tokens", "6m0s", `{"error":{"resets_in_seconds":5}}`)
	f.Add("Anthropic-Ratelimit-Unified-5h-Utilization", "0.4", `{"error":{"details":[{"violations":[{"quotaId":"PerDay"}]},{"retryDelay":"3s"}]}}`)
	f.Add("Ratelimit", `"default";r=50;t=30`, `[]`)
	f.Add("X-Codex-Primary-Used-Percent", "1e9", `{"error":{"resets_at":1795266000}}`)
	f.Fuzz(func(t *testing.T, name, value, body string) {
		limits := limitsOf(http.Header{http.CanonicalHeaderKey(name): {value}}, noon)
		more, wait := bodyLimits([]byte(body), noon)
		limits = append(limits, more...)
		if wait < 0 || len(limits) > 2*maxTold {
			t.Errorf("%d limits, wait %v", len(limits), wait)
		}
		for _, l := range limits {
			if l.Limit < -1 || l.Remaining < -1 || l.Used > 1 || l.Used != l.Used || l.Reset.Sub(noon).Abs() > longestWait && !l.Reset.IsZero() {
				t.Errorf("%+v", l)
			}
		}
	})
}
