// Package proxytest is the provider side of the proxy's tests, and their oracle. It is imported by
// tests only and needs nothing but the standard library.
//
//   - [Load] and [LoadClients] read the recorded corpora of the testdata folder.
//   - [Provider] is an HTTP server on 127.0.0.1 that replays recordings or answers by script, with
//     faults: reset, stall, truncation, endless heartbeat, and so on. It keeps what it [Seen].
//   - [HandWritten] lists answers that no recording holds, written from the vendors' documentation.
//   - [ValidateStream] checks a stream against the grammar of its dialect.
//   - [Summarize] and [SummarizeRequest] flatten an answer or a request of any dialect into one form,
//     so that a test can say what a translation must keep.
//
// Nothing here uses the proxy's own readers: a fault there cannot hide itself here.
package proxytest
