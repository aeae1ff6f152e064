// Package dialect reads and writes the wire formats of model providers: one
// codec for each, around the canonical forms of package proxy, never one for a
// pair. Beside the codecs are the steps that every translation shares: Prepare
// repairs a request for its target, a Sequencer orders a stream's events, and
// Replay remembers the reasoning that a caller's format cannot carry.
package dialect
