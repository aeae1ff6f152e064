// Package config is KorProxy's settings: one annotated struct, read in layers
// (flag, environment, workspace, user, default), verified as a whole, watched
// for edits and explained key by key.
//
// The struct tags of [Config] are the only source of what a key means. The
// reference page, the JSON schema and `korproxy config explain` are made from
// them, and so are the defaults and the names of the environment variables.
//
// A mistake never stops at the first one: every [Problem] of a file is
// collected with its line and column. Values that may be secrets are never
// repeated in a message, because configs are pasted into bug reports.
package config
