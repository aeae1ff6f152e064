// Package proxy holds the canonical form of a model request and its answer,
// the providers and accounts that can serve it, and the Engine that takes a
// request through candidates to an answer. Its children do the work: dialect
// translates, upstream sends, route and account choose, httpd serves callers.
package proxy
