// Package oauth speaks OAuth 2.1 and OpenID Connect as a program on a user's
// own machine does: metadata, token endpoint, ID tokens, revocation, and a
// diagnosis of what can stand between such a machine and a sign-in server.
//
// Every error is a *fault.Error or a *Refusal.
package oauth
