package httpd

import (
	"log/slog"
	"net"
	"testing"
	"time"
)

// TestServeAfterShutdown: a port whose turn came only when all was over is not
// served for ever.
func TestServeAfterShutdown(t *testing.T) {
	s := New(Options{Metrics: NewMetrics("0"), Log: slog.New(slog.DiscardHandler), Settings: func() Settings { return Settings{} }})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.ServePort(l) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the port is still served")
	}
}
