package upstream

import (
	"sync"

	"github.com/korproxy/korproxy/proxy"
)

// scales remembers for each model how many bytes of text it has counted as one
// token, so that what is estimated comes near to what it would count.
type scales struct {
	mu     sync.Mutex // guards models
	models map[string]scale
}

type scale struct {
	bytes float64 // per token, a moving average
	seen  int     // answers, up to scaleSpan
}

const (
	maxScales = 512
	// scaleSpan is over how many answers is averaged.
	scaleSpan = 8
	// leastWeighed is the size in bytes from which on the text outweighs what
	// providers add to a request unseen.
	leastWeighed = 2 << 10
	// leastScale and mostScale are what a byte of text can come to; what lies
	// outside was not counted as it was sent.
	leastScale, mostScale = 1.5, 6.0
	// scaleMargin keeps an estimate on the safe side of the average.
	scaleMargin = 1.05
)

// of is by how many bytes a token is estimated for a model.
func (s *scales) of(to *proxy.Candidate) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.models[lessonKey(to)]; ok {
		return m.bytes / scaleMargin
	}
	return bytesPerToken
}

// note learns from the tokens of input that a provider counted.
func (s *scales) note(to *proxy.Candidate, w weight, input int64) {
	text := float64(input) - float64(w.tokens)
	if w.mixed || w.bytes < leastWeighed || text <= 0 {
		return
	}
	got := float64(w.bytes) / text
	if got < leastScale || got > mostScale {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := lessonKey(to)
	m, known := s.models[key]
	if !known && len(s.models) >= maxScales {
		clear(s.models) // names come from callers; what is in use is learned again
	}
	m.seen = min(m.seen+1, scaleSpan)
	m.bytes += (got - m.bytes) / float64(m.seen)
	s.models[key] = m
}

// weighs has an answer's usage noted, of a stream when it has ended. Ollama
// counts only what it had not cached.
func (s *Sender) weighs(r *proxy.Reply, req *proxy.Request, d proxy.Dialect) {
	if d == proxy.Ollama {
		return
	}
	to, w := r.Candidate, weigh(req)
	switch src, ok := r.Events.(*source); {
	case r.Answer != nil:
		s.scales.note(to, w, r.Answer.Usage.Input)
	case ok && src.over: // it was short
		s.scales.note(to, w, src.usage.Input)
	case ok:
		src.ends = func(u proxy.Usage) { s.scales.note(to, w, u.Input) }
	}
}
