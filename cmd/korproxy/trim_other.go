//go:build !linux

package main

// trimProgram is not needed: other systems do not count a program's clean pages
// as its own memory in what their users look at, or take them back by themselves.
func trimProgram() int { return 0 }
