//go:build !linux

package main

// forgetProgram does nothing: other systems take back by themselves what a
// program no longer touches.
func forgetProgram() {}
