package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy/httpd"
)

// client speaks to the daemon over its socket.
type client struct{ http *http.Client }

func newClient(p config.Paths) *client {
	return &client{&http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialSocket(ctx, p.Socket)
		},
		DisableKeepAlives: true,
	}}}
}

// call makes one request of the management API and reads the answer into out.
func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://korproxy/korproxy/v1"+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &fault.Error{Code: fault.NotRunning, Message: "no KorProxy of yours is running", Err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	if resp.StatusCode >= 400 {
		var e httpd.APIError
		if json.Unmarshal(b, &e) != nil || e.Code == "" {
			return fmt.Errorf("the daemon answered %s", resp.Status)
		}
		if len(e.Problems) > 0 {
			return configProblems(e.Problems)
		}
		return &fault.Error{Code: fault.Code(e.Code), Message: e.Detail, Status: e.Status}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return nil
}

// configProblems are what the daemon found in a configuration, as if it had
// been read here.
func configProblems(list []httpd.Problem) config.Problems {
	var out config.Problems
	for _, p := range list {
		out = append(out, config.Problem{Code: p.Code, Key: p.Key, File: p.File, Line: p.Line, Col: p.Col, Message: p.Message, Fix: p.Fix})
	}
	return out
}

func (c *client) status(ctx context.Context) (httpd.Status, error) {
	var s httpd.Status
	return s, c.call(ctx, http.MethodGet, "/status", nil, &s)
}
