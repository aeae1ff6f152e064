package dialect

import (
	"math/rand/v2"
	"testing"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func watched(d proxy.Dialect, contentType string, wire []byte, size int) *Watch {
	w := NewWatch(d, contentType)
	for at := 0; at < len(wire); at += size {
		w.Feed(wire[at:min(at+size, len(wire))])
	}
	return w
}

// TestWatchFollowsEveryRecordedStream: each ends well, or with the error it
// holds, and the counts are those of the answer.
func TestWatchFollowsEveryRecordedStream(t *testing.T) {
	for _, d := range fiveDialects {
		for _, x := range answered(t, d).Streams() {
			want, err := proxytest.Summarize(string(d), x.Wire())
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{13, 4096} {
				w := watched(d, contentType(x), x.Wire(), size)
				f, sent := w.End()
				switch {
				case want.Error != "":
					if f == nil || !sent {
						t.Errorf("%s: the error %q is %v, sent %t", x.ID, want.Error, f, sent)
					}
					continue
				case f != nil:
					t.Errorf("%s: %v", x.ID, f)
					continue
				}
				u := w.Usage()
				got := proxytest.Usage{Input: u.Input, Output: u.Output, CacheRead: u.CacheRead, CacheWrite: u.CacheWrite, Reasoning: u.Reasoning}
				counts := want.Usage
				asCounted(&counts, got, d)
				if got != counts {
					t.Errorf("%s: usage %+v, want %+v", x.ID, got, want.Usage)
				}
			}
		}
	}
}

// TestWatchSeesWhatBreaksOff cuts recorded streams before their last frames.
func TestWatchSeesWhatBreaksOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	n := 0
	for _, d := range fiveDialects {
		for _, x := range answered(t, d).Streams() {
			wire := x.Wire()
			frames, err := proxytest.Frames(wire)
			if err != nil || len(frames) < 4 || contentType(x) == "application/json" {
				continue
			}
			// What stands before the frame that says why the answer ended.
			end := 0
			for i, f := range frames {
				w := watched(d, contentType(x), wire[:f.End], 1<<20)
				if fl, _ := w.End(); fl == nil || fl.Code != fault.StreamTruncated {
					break
				}
				if i > 0 {
					end = frames[i].Start
				}
			}
			if end < 2 {
				continue
			}
			n++
			at := 1 + rng.IntN(end)
			f, sent := watched(d, contentType(x), wire[:at], 100).End()
			if f == nil || f.Code != fault.StreamTruncated || sent {
				t.Errorf("%s cut at %d of %d: %v, sent %t", x.ID, at, len(wire), f, sent)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d streams", n)
	}
}

func TestWatchFedTwiceCountsOnce(t *testing.T) {
	wire := streamWire(am, append([]string{claudeStart}, append(claudeText("0", "a"), claudeEnd("end_turn"), claudeStop)...)...)
	w := NewWatch(am, "text/event-stream")
	w.Feed(wire[:200])
	w.Again(200)
	w.Feed(wire[:150])
	w.Feed(wire[150:])
	if f, _ := w.End(); f != nil || w.Usage().Output != 9 || w.Usage().Input != 8 {
		t.Errorf("%v, usage %+v", f, w.Usage())
	}
}
