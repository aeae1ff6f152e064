package proxytest

import (
	"context"
	"net/http"
	"slices"
	"sync"
)

// Seen is one request as the provider got it.
type Seen struct {
	Method string
	Path   string // the request target as it stood on the wire, with its query
	Host   string
	Header http.Header
	Body   []byte

	// Gone is closed when the caller leaves before the answer is complete.
	Gone <-chan struct{}
	// Answered is closed when the answer is over, complete or not.
	Answered <-chan struct{}
}

// Recorder keeps what a provider saw. It is safe for concurrent use.
type Recorder struct {
	mu    sync.Mutex
	seen  []Seen
	grown chan struct{} // closed and replaced at each request
}

// Seen returns the requests so far, in the order in which their bodies were complete.
func (r *Recorder) Seen() []Seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// Await returns the n-th request, counted from 1, and waits for it.
func (r *Recorder) Await(ctx context.Context, n int) (Seen, error) {
	for {
		r.mu.Lock()
		if len(r.seen) >= n {
			defer r.mu.Unlock()
			return r.seen[n-1], nil
		}
		if r.grown == nil {
			r.grown = make(chan struct{})
		}
		grown := r.grown
		r.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return Seen{}, ctx.Err()
		}
	}
}

func (r *Recorder) add(s Seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, s)
	if r.grown != nil {
		close(r.grown)
		r.grown = nil
	}
}
