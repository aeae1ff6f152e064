// Package upstream knows the providers and talks to them: the catalogue of
// providers as data, the models each one lists, and the Sender that takes a
// request to one of them, unchanged where it speaks the caller's dialect and
// translated where it does not.
package upstream
