//go:build !windows

package oauth

import "syscall"

// What the system says of a connection that cannot be made.
const (
	errRefused         = syscall.ECONNREFUSED
	errNetUnreachable  = syscall.ENETUNREACH
	errHostUnreachable = syscall.EHOSTUNREACH
)
