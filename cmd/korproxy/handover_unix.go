//go:build !windows

package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// canPass says whether this system passes listeners from process to process.
const canPass = true

// passLimit bounds the exchange.
const passLimit = 5 * time.Second

// mostListeners is how many a daemon can have: its socket, and a port on each
// loopback address.
const mostListeners = 8

// rawConn finds the Unix connection below what an upgrade gave.
func rawConn(conn net.Conn) (*net.UnixConn, error) {
	for {
		switch c := conn.(type) {
		case *net.UnixConn:
			return c, nil
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil, errors.New("the connection is no Unix socket")
		}
	}
}

// sendListeners passes listeners to the process at the other end. It waits until
// that one is ready: what comes with the answer to its request would be read with
// that, without the listeners. And it waits until they have arrived.
func sendListeners(conn net.Conn, all []net.Listener) error {
	c, err := rawConn(conn)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(passLimit)); err != nil {
		return err
	}
	word := make([]byte, 1)
	if _, err := io.ReadFull(conn, word); err != nil {
		return err
	}
	var fds []int
	for _, l := range all {
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // the path is the other's now
		}
		f, ok := l.(interface{ File() (*os.File, error) })
		if !ok {
			return fmt.Errorf("a listener cannot be passed on: %T", l)
		}
		file, err := f.File()
		if err != nil {
			return err
		}
		defer file.Close()
		fds = append(fds, int(file.Fd()))
	}
	if _, _, err = c.WriteMsgUnix([]byte{byte(len(fds))}, syscall.UnixRights(fds...), nil); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, word)
	return err
}

// receiveListeners is the other end of sendListeners.
func receiveListeners(conn net.Conn) ([]net.Listener, error) {
	c, err := rawConn(conn)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(passLimit)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{1}); err != nil {
		return nil, err
	}
	data, space := make([]byte, 1), make([]byte, syscall.CmsgSpace(4*mostListeners))
	n, oob, _, _, err := c.ReadMsgUnix(data, space)
	if err != nil {
		return nil, err
	}
	if n != 1 {
		return nil, errors.New("the connection ended")
	}
	messages, err := syscall.ParseSocketControlMessage(space[:oob])
	if err != nil {
		return nil, err
	}
	var all []net.Listener
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		for _, fd := range fds {
			file := os.NewFile(uintptr(fd), "listener")
			l, err := net.FileListener(file)
			file.Close()
			if err != nil {
				return nil, err
			}
			all = append(all, l)
		}
	}
	if len(all) != int(data[0]) {
		return nil, fmt.Errorf("%d of %d listeners came", len(all), data[0])
	}
	_, err = conn.Write([]byte{1})
	return all, err
}

func isSocket(l net.Listener) bool { return l.Addr().Network() == "unix" }
