// Package companion is KorProxy as editors see it. A [Forwarder] is what an
// editor starts: it relays between the editor and the one daemon of the user,
// and brings the daemon back when it dies. In the daemon, a [Host] is what all
// editors share, and a [Session] is the connection of one of them.
//
// The companion knows the proxy by the interface [Proxy] and documents by
// [Language]; the commands wire them.
package companion
