package httpd

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/korproxy/korproxy/internal/fault"
)

// apiPath is where the management API begins.
const apiPath = "/korproxy/v1"

// call is one operation of the management API. The routes, the reference and
// the OpenAPI document are made from the list of them.
type call struct {
	method, path, summary string
	query                 []param
	ask                   any    // a value of the request body's type; nil for none
	answer                any    // one of the answer's type; nil for none
	status                int    // of a good answer; 0 is 200
	media                 string // of bodies that are not JSON
	since                 string // the version of KorProxy that first had it
	handle                func(*Server, http.ResponseWriter, *http.Request)
}

// param is a parameter of a query, or of the headers.
type param struct{ name, what string }

var calls = []call{
	{method: "GET", path: "/status", summary: "State, version, address, profile, open requests, problems", answer: Status{}, since: "0.1", handle: (*Server).getStatus},
	{method: "GET", path: "/health", summary: "How the accounts fare, and what the user should mend", answer: HealthInfo{}, since: "0.4", handle: (*Server).getHealth},
	{method: "GET", path: "/accounts", summary: "The accounts: where their keys come from (never the keys), how they fare, and their limits as the providers told them", answer: []AccountInfo{}, since: "0.1", handle: (*Server).getAccounts},
	{method: "GET", path: "/models", summary: "The models with their providers, limits, list prices (estimates, with source and date) and abilities", answer: []ModelInfo{}, since: "0.1", handle: (*Server).getModels},
	{method: "GET", path: "/profiles", summary: "The profiles, which one is in use, and what decided that", answer: ProfileList{}, since: "0.4", handle: (*Server).getProfiles},
	{method: "PUT", path: "/profiles/active", summary: "Switches the profile, from the next request on", ask: ProfileChoice{}, answer: ProfileList{}, since: "0.4", handle: (*Server).putProfile},
	{method: "PUT", path: "/models/active", summary: "Switches where requests go that leave the model to KorProxy, from the next one on", ask: ModelChoice{}, answer: Choices{}, since: "0.5", handle: (*Server).putModel},
	{method: "PUT", path: "/accounts/active", summary: "Puts an account before its provider's others, from the next request on", ask: AccountChoice{}, answer: Choices{}, since: "0.5", handle: (*Server).putAccount},
	{method: "GET", path: "/routes", summary: "The rules, groups and aliases of a profile as they take effect", query: []param{{"profile", "the profile; none given: the one in use"}}, answer: RouteTable{}, since: "0.4", handle: (*Server).getRoutes},
	{method: "POST", path: "/route/explain", summary: "Where a request would go and why, and what was ruled out; nothing is sent", ask: ExplainRequest{}, answer: Explanation{}, since: "0.4", handle: (*Server).explain},
	{method: "GET", path: "/safe-mode", summary: "Whether safe mode is on, and why", answer: SafeMode{}, since: "0.4", handle: (*Server).getSafeMode},
	{method: "PUT", path: "/safe-mode", summary: "Turns safe mode on or off, from the next request on", ask: SafeModeChoice{}, answer: SafeMode{}, since: "0.4", handle: (*Server).putSafeMode},
	{method: "GET", path: "/config", summary: "The text of the user's configuration, with its ETag", media: "application/toml", since: "0.4", handle: (*Server).getConfig},
	{method: "PUT", path: "/config", summary: "Replaces the configuration as a whole. It is verified first, and in effect when the answer comes. If-Match takes the ETag of the text it was made from", ask: "", answer: ConfigWritten{}, media: "application/toml", since: "0.4", handle: (*Server).putConfig},
	{method: "GET", path: "/keys", summary: "The local keys by tool, masked", answer: []KeyInfo{}, since: "0.2", handle: (*Server).listKeys},
	{method: "POST", path: "/keys", summary: "The local key of a tool, or the admin key, made when there is none", ask: KeyWanted{}, answer: Key{}, since: "0.1", handle: (*Server).makeKey},
	{method: "DELETE", path: "/keys", summary: "Revokes the keys of a tool at once", query: []param{{"tool", "whose keys"}, {"admin", "true: the admin key"}}, answer: RevokedKey{}, since: "0.2", handle: (*Server).revokeKey},
	{method: "POST", path: "/test", summary: "Tries accounts by real requests, the free ones first", ask: TestRequest{}, answer: []TestRow{}, since: "0.2", handle: (*Server).test},
	{method: "POST", path: "/keep", summary: "Keeps a daemon that an editor started running when the last editor has left", status: http.StatusNoContent, since: "0.5", handle: (*Server).keep},
	{method: "POST", path: "/stop", summary: "Ends the daemon as SIGTERM does", status: http.StatusAccepted, since: "0.1", handle: (*Server).stop},
}

// allCalls is every operation there is.
func allCalls() []call { return slices.Concat(calls, bookCalls) }

// management serves the calls, OPTIONS for each of them, and the document that
// describes them.
func (s *Server) management() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.GetHead)
	for _, c := range calls {
		r.MethodFunc(c.method, c.path, func(w http.ResponseWriter, r *http.Request) { c.handle(s, w, r) })
	}
	s.usageRoutes(r)
	r.Get("/openapi.json", s.getOpenAPI)
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		s.problem(w, fault.New(fault.NoRoute, "nothing is served at %s", r.URL.Path))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, req *http.Request) {
		allowed := methodsAt(r, chi.RouteContext(req.Context()).RoutePath)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		if req.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		s.problem(w, fault.New(fault.MethodRefused, "%s is not served at %s", req.Method, req.URL.Path))
	})
	outer := chi.NewRouter()
	outer.Mount(apiPath, r)
	outer.Mount("/", r)
	outer.Get("/healthz", s.health)
	return outer
}

// methodsAt lists what a path is served for.
func methodsAt(r chi.Routes, path string) []string {
	out := []string{http.MethodOptions}
	for _, m := range [...]string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		if r.Match(chi.NewRouteContext(), m, path) {
			if out = append(out, m); m == http.MethodGet {
				out = append(out, http.MethodHead)
			}
		}
	}
	slices.Sort(out)
	return out
}

// maxAsk bounds the body of a call that carries no request or configuration.
const maxAsk = 64 << 10

// take reads the body of a call into v. What it refuses it has answered.
func (s *Server) take(w http.ResponseWriter, r *http.Request, v any, most int64) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, most))
	d.DisallowUnknownFields() // a slip in a name would be taken for a field left out
	switch err := d.Decode(v); {
	case err == nil:
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		s.problem(w, fault.New(fault.InvalidField, "%s: there is no such field", strings.TrimPrefix(err.Error(), "json: unknown field ")))
		return false
	default:
		s.problem(w, fault.New(fault.InvalidJSON, "the body is not valid JSON: %w", err))
		return false
	}
	return true
}

// give answers with v, or with what went wrong.
func (s *Server) give(w http.ResponseWriter, v any, err error) {
	if err != nil {
		s.problem(w, err)
		return
	}
	s.object(w, v)
}
