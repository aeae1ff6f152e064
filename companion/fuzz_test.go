package companion_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/health"
)

// Nothing an editor sends ends anything but its own connection, and what is a
// message has an answer that is one.
func FuzzConversation(f *testing.F) {
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}`,
		`{"jsonrpc":"2.0","id":"x","method":"korproxy/menu","params":{"id":"main"}}`,
		`{"jsonrpc":"2.0","id":2,"method":"workspace/executeCommand","params":{"command":"korproxy.test","arguments":[1,null]}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"file:///x.toml","text":"bad"}}}`,
		`{"jsonrpc":"2.0","method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///x.toml"},"contentChanges":[{"range":{"start":{"line":9},"end":{"line":-1}},"text":"x"}]}}`,
		`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":{}}}`,
		`{"jsonrpc":"2.0","id":null,"method":"shutdown"}`,
	} {
		f.Add([]byte(m))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		host := companion.NewHost(companion.Options{
			Proxy: newProxy(), Languages: []companion.Language{wordLanguage{}}, Health: new(health.Tracker), StateDir: dir, Log: slog.New(slog.DiscardHandler),
		})
		defer host.Close()
		var in, out bytes.Buffer
		for _, m := range [][]byte{
			[]byte(`{"jsonrpc":"2.0","id":"fuzz","method":"initialize","params":{"capabilities":{}}}`), content,
			[]byte(`{"jsonrpc":"2.0","id":"end","method":"shutdown"}`), []byte(`{"jsonrpc":"2.0","method":"exit"}`),
		} {
			if err := lsp.WriteMessage(&in, m); err != nil {
				t.Fatal(err)
			}
		}
		forwarder := &companion.Forwarder{
			In: &in, Out: &out, Tail: func() string { return "" },
			Dial: func(context.Context) (io.ReadWriteCloser, error) {
				ours, theirs := net.Pipe()
				go func() { _ = host.Serve(context.Background(), theirs) }() // ends with the pipe
				return ours, nil
			},
		}
		_ = forwarder.Run(t.Context()) // it may have been told to leave early
		r := lsp.NewReader(&out)
		for {
			if _, err := r.Next(); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatalf("what came back cannot be read: %v", err)
				}
				return
			}
		}
	})
}
