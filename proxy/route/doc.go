// Package route decides where a request may go: a pure function from what the
// caller asked for, the configuration, what is connected and how it fares, to an
// ordered list of candidates.
//
// [Compile] makes a [Table] of one configuration, and [Table.Decide] runs for each
// request: nothing is read from the disk or the network, and nothing is
// remembered but where models stand in the lists.
package route
