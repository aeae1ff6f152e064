package httpd

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httputil"
	"strings"
	"testing"
	"time"
)

// takenWriter is a writer on a connection that was taken over, with the other side of it.
func takenWriter(t *testing.T) (*streamWriter, net.Conn) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &streamWriter{conn: &conn{TCPConn: c.(*net.TCPConn)}, taken: &hijacked{}}, client
}

func TestChunks(t *testing.T) {
	w, client := takenWriter(t)
	var want bytes.Buffer
	var chunks [][]byte
	for _, n := range []int{1, 9, 15, 16, 17, 255, 256, 4095, 4096, mostAtOnce, 100_000, 1 << 20} {
		chunk := bytes.Repeat([]byte{byte(n)}, chunkHead+n)
		want.Write(chunk[chunkHead:])
		chunks = append(chunks, chunk)
	}
	go func() {
		for _, chunk := range chunks {
			_ = w.write(chunk[:chunkHead]) // nothing: as a chunk it would be the last
			_ = w.write(chunk)
		}
		_ = w.end()
		w.conn.Close()
	}()
	var wire bytes.Buffer
	got, err := io.ReadAll(httputil.NewChunkedReader(io.TeeReader(client, &wire)))
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got %d bytes of %d, %v", len(got), want.Len(), err)
	}
	if head := "1\r\n\x01\r\n9\r\n"; !strings.HasPrefix(wire.String(), head) {
		t.Errorf("the wire has %q", wire.String()[:len(head)])
	}
}

func TestAChunkIsNoGarbage(t *testing.T) {
	w, client := takenWriter(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, client)
	}()
	chunk := make([]byte, chunkHead+300, chunkHead+300+chunkTail)
	if n := testing.AllocsPerRun(100, func() { _ = w.write(chunk) }); n != 0 {
		t.Errorf("%.0f allocations for each chunk", n)
	}
	w.conn.Close()
	<-ended
	if w.write(chunk) == nil || w.end() == nil {
		t.Error("a write on a closed connection went well")
	}
}

// TestAFastStreamReadsMore: its buffer grows at once, and is lent to others when
// it has become slow.
func TestAFastStreamReadsMore(t *testing.T) {
	p := &passage{small: make([]byte, chunkHead+leastAtOnce+chunkTail)}
	for _, step := range []struct {
		read  int
		large bool
	}{{300, false}, {leastAtOnce, true}, {mostAtOnce, true}, {leastAtOnce, true}, {leastAtOnce - 1, false}, {1, false}, {leastAtOnce, true}} {
		if p.fit(step.read); (p.large != nil) != step.large {
			t.Errorf("after %d bytes: large %t", step.read, p.large != nil)
		}
	}
	if p.stop(); p.large != nil {
		t.Error("the large buffer is kept")
	}
}

// TestEveryBytePasses: whatever size the reads have, the caller gets the same.
func TestEveryBytePasses(t *testing.T) {
	p := openPort(t, long)
	c := p.dial()
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		a, resp := c.begin()
		var want bytes.Buffer
		for want.Len() < 1<<20 {
			want.WriteString("data: \"" + strings.Repeat("x", r.IntN(3*mostAtOnce)>>r.IntN(12)) + "\"\n\n")
		}
		go func() {
			b := want.Bytes()
			for len(b) > 0 {
				n := min(len(b), 1+r.IntN(2*mostAtOnce)>>r.IntN(12))
				if _, err := a.says.Write(b[:n]); err != nil {
					return
				}
				b = b[n:]
			}
			a.says.Write([]byte(final))
			a.says.Close()
		}()
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want.String()+final {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, want.Len()+len(final))
		}
		c.ended("ok")
	}
	c.whole()
}

// TestTheDeadlineMoves: but not with each chunk.
func TestTheDeadlineMoves(t *testing.T) {
	w, _ := takenWriter(t)
	chunk := make([]byte, chunkHead+1, chunkHead+1+chunkTail)
	if err := w.write(chunk); err != nil || time.Until(w.deadline) < stalled/2 {
		t.Fatalf("%v, a deadline in %s", err, time.Until(w.deadline))
	}
	before := w.deadline
	if err := w.write(chunk); err != nil || w.deadline != before {
		t.Errorf("%v, moved by %s", err, w.deadline.Sub(before))
	}
	w.deadline = time.Now().Add(stalled / 4)
	if err := w.write(chunk); err != nil || time.Until(w.deadline) < stalled/2 {
		t.Errorf("%v, a deadline in %s", err, time.Until(w.deadline))
	}
}
