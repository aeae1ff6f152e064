package main

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

// TestAFreePortIsProposed: the next one may be taken too.
func TestAFreePortIsProposed(t *testing.T) {
	first, second := twoPorts(t)
	_, taken := listenOnce(first)
	text := portTaken(first, taken).Error()
	_, rest, ok := strings.Cut(text, "--listen ")
	proposed, _, _ := strings.Cut(rest, ",")
	if !ok || proposed == second || !strings.HasPrefix(proposed, "127.0.0.1:") {
		t.Fatalf("%s and %s are taken: %s", first, second, text)
	}
	l, err := listenOnce(proposed)
	if err != nil {
		t.Fatalf("%s is proposed: %v", proposed, err)
	}
	l.Close()
	if got := freeAfter("127.0.0.1", "65535"); got != "127.0.0.1:0" {
		t.Errorf("after the last port comes %s", got)
	}
}

// twoPorts takes two neighbouring ports until the test ends.
func twoPorts(t *testing.T) (first, second string) {
	t.Helper()
	for range 100 {
		l, err := listenOnce("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		first, second = l.Addr().String(), nextPort(t, l.Addr())
		if next, err := listenOnce(second); err == nil {
			t.Cleanup(func() { l.Close(); next.Close() })
			return first, second
		}
		l.Close()
	}
	t.Fatal("no two neighbouring ports are free")
	return "", ""
}

func nextPort(t *testing.T, a net.Addr) string {
	t.Helper()
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		t.Fatalf("no TCP address: %v", a)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port+1))
}
