// Package secret keeps API keys and tokens: in the operating system's keyring
// where one works, else in a file encrypted with age whose key stands beside
// it, readable by the user alone. The encrypted file guards backups and stray
// copies; against the user's own programs neither place does.
//
// A [Value] never prints what it holds, and [Redact] takes keys out of text
// that is on its way to a log.
package secret
