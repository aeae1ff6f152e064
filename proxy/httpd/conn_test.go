package httpd

import (
	"bytes"
	"io"
	"net"
	"testing"
)

func TestAnAnswerIsOneWrite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := gatheringListener{Listener: l}.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := accepted.(*conn)
	head, body := []byte("head\r\n\r\n"), bytes.Repeat([]byte("x"), 5<<10)
	c.gather(len(body))
	for _, p := range [][]byte{head, body[:4096], body[4096:]} {
		if n, err := c.Write(p); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if !bytes.Equal(c.gathered, append(head, body...)) {
		t.Errorf("gathered %d bytes", len(c.gathered))
	}
	if err := c.send(); err != nil || c.gathered != nil {
		t.Errorf("kept %d bytes, %v", len(c.gathered), err)
	}
	// What is too long, or comes later, is written as it is.
	c.gather(mostGathered + 1)
	if _, err := c.Write([]byte("next")); err != nil || c.gathering {
		t.Error("it gathers", err)
	}
	c.Close()
	if got, err := io.ReadAll(client); err != nil || !bytes.Equal(got, append(append(head, body...), "next"...)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	client.Close()
	c.gather(1)
	c.gathered = head
	if c.send() == nil {
		t.Error("a write on a closed connection went well")
	}
	var none *conn
	none.gather(1)
	if none.send() != nil {
		t.Error("no connection is an error")
	}
}
