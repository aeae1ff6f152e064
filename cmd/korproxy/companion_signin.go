package main

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/fault"
)

// eventWriter reads what 'korproxy login --json' prints, one object a line.
type eventWriter struct {
	ctx    context.Context
	ui     companion.SignInUI
	rest   []byte
	failed error
}

// Write implements io.Writer.
func (w *eventWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		w.event(line)
		w.rest = rest
	}
}

func (w *eventWriter) event(line []byte) {
	var e struct {
		Event string `json:"event"`
		URL   string `json:"url"`
		Code  string `json:"code"`
		Text  string `json:"text"`
	}
	if json.Unmarshal(line, &e) != nil {
		return
	}
	switch e.Event {
	case "code":
		w.ui.Tell(w.ctx, "Enter the code "+e.Code+" at "+e.URL)
		w.failed = w.ui.Open(w.ctx, e.URL)
	case "url":
		w.failed = w.ui.Open(w.ctx, e.URL)
	case "note":
		w.ui.Tell(w.ctx, e.Text)
	case "failed":
		w.failed = fault.New(fault.Code(e.Code), "%s", e.Text)
	}
}
