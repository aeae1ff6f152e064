package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// scenario is one kind of request.
type scenario struct {
	name   string
	path   string // of the caller's dialect
	model  string // at the proxy
	size   int    // of the body
	stream bool
	body   func(model string, size int, stream bool) []byte
}

var scenarios = []scenario{
	{"same dialect, 1 KB", "/v1/chat/completions", "chat/m", 1 << 10, false, chatBody},
	{"same dialect, 100 KB", "/v1/chat/completions", "chat/m", 100 << 10, false, chatBody},
	{"same dialect, 1 MB", "/v1/chat/completions", "chat/m", 1 << 20, false, chatBody},
	{"same dialect, stream", "/v1/chat/completions", "chat/m", 1 << 10, true, chatBody},
	{"anthropic to chat, 1 KB", "/v1/messages", "chat/m", 1 << 10, false, messagesBody},
	{"anthropic to chat, 100 KB", "/v1/messages", "chat/m", 100 << 10, false, messagesBody},
	{"anthropic to chat, stream", "/v1/messages", "chat/m", 1 << 10, true, messagesBody},
	{"chat to anthropic, 100 KB", "/v1/chat/completions", "anthropic2/m", 100 << 10, false, chatBody},
	{"chat to gemini, 100 KB", "/v1/chat/completions", "gemini2/m", 100 << 10, false, chatBody},
}

// loaders is how many requests run at once when capacity is measured.
const loaders = 64

type figures struct {
	p50    time.Duration
	rate   float64 // requests per second
	failed int
}

// measure gives a table row. The targets take turns, so that what else the
// machine does meets all of them alike.
func measure(s scenario, n int, up, rp, kp string) (string, error) {
	direct := s.body("m", s.size, s.stream)
	through := s.body(s.model, s.size, s.stream)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loaders, DisableCompression: true}}
	defer client.CloseIdleConnections()
	targets := []struct {
		url  string
		body []byte
	}{{up, direct}, {rp, direct}, {kp, through}}
	const turns = 5
	var all [3][]figures
	for range turns {
		for i, t := range targets {
			f, err := once(client, t.url+s.path, t.body, max(20, n/turns))
			if err != nil {
				return "", err
			}
			all[i] = append(all[i], f)
		}
	}
	var mid [3]figures
	for i, fs := range all {
		mid[i] = median(fs)
	}
	addRP, addKP := mid[1].p50-mid[0].p50, mid[2].p50-mid[0].p50
	return fmt.Sprintf("| %s | %v | %v | %v | %.2f | %.0f | %.0f | %.2f | %d |", s.name, micro(mid[0].p50), micro(addRP), micro(addKP),
		float64(addKP)/float64(max(addRP, time.Microsecond)), mid[1].rate, mid[2].rate, mid[2].rate/mid[1].rate, mid[2].failed), nil
}

func micro(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

func median(fs []figures) figures {
	at := func(get func(figures) float64) float64 {
		v := make([]float64, len(fs))
		for i, f := range fs {
			v[i] = get(f)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	out := figures{p50: time.Duration(at(func(f figures) float64 { return float64(f.p50) })), rate: at(func(f figures) float64 { return f.rate })}
	for _, f := range fs {
		out.failed += f.failed
	}
	return out
}

// once measures latency one request at a time, then capacity.
func once(c *http.Client, url string, body []byte, n int) (figures, error) {
	took := make([]time.Duration, 0, n/4)
	failed := 0
	for range n / 4 {
		began := time.Now()
		if err := send(c, url, body); err != nil {
			if failed++; failed > n/8 {
				return figures{}, err
			}
			continue
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	var bad atomic.Int64
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	began := time.Now()
	for range loaders {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if send(c, url, body) != nil {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return figures{took[len(took)/2], float64(n) / time.Since(began).Seconds(), failed + int(bad.Load())}, nil
}

func send(c *http.Client, url string, body []byte) error {
	resp, err := c.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, b[:min(len(b), 300)])
	}
	if len(b) < 100 {
		return errors.New("the answer is too short")
	}
	return nil
}
