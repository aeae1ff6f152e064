package upstream

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// drip gives a byte after each wait; its reads end with their context, as
// those of a connection do.
type drip struct {
	ctx   context.Context
	waits []time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.waits) == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.waits[0]):
		d.waits = d.waits[1:]
		return copy(p, "x"), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (d *drip) Close() error { return nil }

func TestWatchdog(t *testing.T) {
	const first, idle = 10 * time.Second, 4 * time.Second
	for _, tc := range []struct {
		name  string
		waits []time.Duration
		pause time.Duration // the reader's own, behind each byte
		leave time.Duration // the caller leaves then
		want  fault.Code    // "" for a good end
		read  int
	}{
		{name: "in time", waits: []time.Duration{9 * time.Second, 3 * time.Second, 3 * time.Second}, read: 3},
		{name: "late with the first byte", waits: []time.Duration{11 * time.Second}, want: fault.FirstByteTimeout},
		{name: "stalled", waits: []time.Duration{time.Second, time.Second, time.Minute}, want: fault.IdleTimeout, read: 2},
		{name: "a reader that takes its time", waits: []time.Duration{time.Second, time.Second, time.Second}, pause: time.Minute, read: 3},
		{name: "the caller leaves", waits: []time.Duration{time.Second, time.Hour}, leave: 2 * time.Second, want: fault.CallerLeft, read: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, leave := context.WithCancel(t.Context())
				defer leave()
				if tc.leave > 0 {
					time.AfterFunc(tc.leave, leave)
				}
				dog := newWatchdog(parent, first, idle)
				b := &watchedBody{body: &drip{dog.ctx, tc.waits}, dog: dog, host: "h"}
				defer b.Close()
				read := 0
				var err error
				for err == nil {
					var n int
					n, err = b.Read(make([]byte, 8))
					if read += n; n > 0 {
						time.Sleep(tc.pause)
					}
				}
				if errors.Is(err, io.EOF) {
					err = nil
				}
				if got := err; read != tc.read || tc.want == "" && got != nil || tc.want != "" && fault.As(got).Code != tc.want {
					t.Errorf("read %d bytes, then %v", read, got)
				}
			})
		})
	}
}

func TestWatchdogWithoutLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dog := newWatchdog(t.Context(), 0, 0)
		b := &watchedBody{body: &drip{dog.ctx, []time.Duration{time.Hour, time.Hour}}, dog: dog, host: "h"}
		defer b.Close()
		if got, err := io.ReadAll(b); err != nil || len(got) != 2 {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestPeekTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dog := newWatchdog(t.Context(), 0, 0)
		b := &watchedBody{body: &drip{dog.ctx, []time.Duration{time.Second, time.Second, time.Second}}, dog: dog, host: "h"}
		defer b.Close()
		if first, err := b.peek(); err != nil || string(first) != "x" {
			t.Errorf("got %q, %v", first, err)
		}
		if got, err := io.ReadAll(b); err != nil || string(got) != "xxx" {
			t.Errorf("got %q, %v", got, err)
		}
		if again, err := b.peek(); err != nil || len(again) != 0 {
			t.Errorf("at the end: %q, %v", again, err)
		}
	})
}
