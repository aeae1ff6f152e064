// Package usage is the ledger: a record of each request, without a word of what
// was said in it, and the reports that are made from it. Records are taken in
// memory and written by one goroutine, so that no request waits for a disk.
package usage
