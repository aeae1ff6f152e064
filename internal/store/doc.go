// Package store opens SQLite files: one writer, any number of readers,
// write-ahead logging, numbered migrations. A damaged file is moved aside, kept,
// and a new one begun; a file that a newer version wrote is left alone.
package store
