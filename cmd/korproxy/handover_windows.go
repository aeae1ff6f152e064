package main

import (
	"errors"
	"net"
)

// canPass: Windows passes no pipe on to another process.
const canPass = false

var errNoPassing = errors.New("listeners cannot be passed on by this system")

func sendListeners(net.Conn, []net.Listener) error { return errNoPassing }

func receiveListeners(net.Conn) ([]net.Listener, error) { return nil, errNoPassing }

func isSocket(net.Listener) bool { return false }
