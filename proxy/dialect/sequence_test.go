package dialect

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// mixed are the events of parallel calls with a text before and after, in an
// order that depends on the seed: the pieces of each part stay in order.
func mixed(seed uint64, calls int) []proxy.Event {
	var queues [][]proxy.Event
	for i := range calls {
		start := proxy.Event{Kind: proxy.EventPartStart, Index: i, Part: proxy.PartToolCall, ID: fmt.Sprint("id", i), Name: fmt.Sprint("f", i)}
		q := []proxy.Event{start}
		for _, piece := range []string{`{"a":`, `"}{\\`, `\"]"`, `,"n":[`, fmt.Sprint(i), `]}`} {
			q = append(q, proxy.Event{Kind: proxy.EventDelta, Index: i, Part: proxy.PartToolCall, Text: lit(piece)})
		}
		queues = append(queues, append(q, proxy.Event{Kind: proxy.EventPartEnd, Index: i, Part: proxy.PartToolCall}))
	}
	text := proxy.Event{Kind: proxy.EventPartStart, Index: calls, Part: proxy.PartText}
	queues = append(queues, append([]proxy.Event{text}, proxy.Event{Kind: proxy.EventDelta, Index: calls, Part: proxy.PartText, Text: lit("one ")}, proxy.Event{Kind: proxy.EventDelta, Index: calls, Part: proxy.PartText, Text: lit("two")}))
	rng := rand.New(rand.NewPCG(seed, 1))
	out := []proxy.Event{{Kind: proxy.EventStart, ID: "x"}}
	begun := 0 // parts begin in the order of their indexes
	for slices.ContainsFunc(queues, func(q []proxy.Event) bool { return len(q) > 0 }) {
		i := rng.IntN(len(queues))
		switch {
		case len(queues[i]) == 0 || i > begun:
			continue
		case i == begun:
			begun++
		}
		out = append(out, queues[i][0])
		queues[i] = queues[i][1:]
	}
	return append(out, finishEvent(proxy.ReasonToolCalls))
}

// TestSequencerSortsInterleavedCalls gives the pieces of parallel calls in any
// order and looks at the streams that come of it.
func TestSequencerSortsInterleavedCalls(t *testing.T) {
	for _, d := range fiveDialects {
		for seed := range uint64(100) {
			seq := NewSequencer(For(d).NewEncoder(callerOf(d)))
			var out []byte
			for _, e := range mixed(seed, 3) {
				out = seq.Event(out, &e)
			}
			out = seq.Close(out)
			if err := proxytest.ValidateStream(string(d), out); err != nil {
				t.Fatalf("%s, seed %d: %v\n%s", d, seed, err, out)
			}
			h := &heard{t: t, dialect: d, wire: out}
			h.summarize()
			slices.SortFunc(h.sum.ToolCalls, func(a, b proxytest.ToolCall) int { return int(a.Name[1]) - int(b.Name[1]) })
			h.calls(`f0{"a":"}{\\\"]","n":[0]}`, `f1{"a":"}{\\\"]","n":[1]}`, `f2{"a":"}{\\\"]","n":[2]}`)
			h.says("one two", "tool_calls")
			if t.Failed() {
				t.Fatalf("%s, seed %d", d, seed)
			}
		}
	}
}

func TestSequencerEndsOnce(t *testing.T) {
	for _, d := range fiveDialects {
		seq := NewSequencer(For(d).NewEncoder(callerOf(d)))
		var out []byte
		for _, e := range []proxy.Event{
			{Kind: proxy.EventPartStart, Part: proxy.PartText},
			{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("a")},
			finishEvent(proxy.ReasonStop),
			{Kind: proxy.EventDelta, Part: proxy.PartText, Text: lit("late")},
			finishEvent(proxy.ReasonLength),
			{Kind: proxy.EventError},
			{Kind: proxy.EventUsage, Usage: proxy.Usage{Input: 3, Output: 4, Known: true}},
		} {
			out = seq.Event(out, &e)
		}
		h := &heard{t: t, dialect: d, wire: seq.Close(out)}
		if err := proxytest.ValidateStream(string(d), h.wire); err != nil {
			t.Errorf("%s: %v\n%s", d, err, h.wire)
		}
		h.summarize()
		h.says("a", "stop")
		if h.sum.Usage.Input != 3 || h.sum.Usage.Output != 4 {
			t.Errorf("%s: usage that came late is %+v\n%s", d, h.sum.Usage, h.wire)
		}
	}
}
