package oauth

import "syscall"

// What the system says of a connection that cannot be made: Winsock's numbers,
// which package syscall does not give for Windows.
const (
	errRefused         = syscall.Errno(10061)
	errNetUnreachable  = syscall.Errno(10051)
	errHostUnreachable = syscall.Errno(10065)
)
