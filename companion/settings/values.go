package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

// maxOffers bounds how much is offered at a time.
const maxOffers = 400

// values offers what a setting can be.
func (p *page) values(path string, at config.Span, cursor int) []companion.Completion {
	s, ok := config.Describe(path)
	if !ok || s.Kind >= config.KindStringMap || s.Kind == config.KindStrings || s.Kind == config.KindInts {
		return nil
	}
	if strings.ContainsAny(p.source(at), "\r\n") { // editors replace within a line
		return nil
	}
	typed := strings.ToLower(strings.Trim(p.text[at.Start:max(at.Start, cursor)], `"' `))
	quote := `"`
	if strings.HasPrefix(p.source(at), "'") {
		quote = "'"
	}
	taken := p.siblings(path)
	var out []companion.Completion
	offer := func(word, literal, detail, doc string) {
		if len(out) >= maxOffers || slices.Contains(taken, word) {
			return
		}
		if literal == "" && quote == "'" && !strings.Contains(word, "'") {
			literal = "'" + word + "'"
		}
		if literal = cmp.Or(literal, config.Quote(word)); at.Start > 0 && p.text[at.Start-1] == '=' {
			literal = " " + literal
		}
		out = append(out, companion.Completion{
			Label: word, Kind: companion.KindValue, Detail: detail, Markdown: doc,
			Edit: companion.Edit{Span: companion.Span(at), Text: literal}, Sort: fmt.Sprintf("%04d", len(out)),
		})
	}
	switch {
	case s.Kind == config.KindBool || s.Kind == config.KindToggle:
		for _, w := range []string{"true", "false"} {
			offer(w, w, mark(s.Default == w, "default"), "")
		}
	case s.Pattern == "accounts.*.connect":
		for _, w := range p.ways(p.value(config.ParentPath(path) + ".provider")) {
			offer(w, "", mark(w == "key", "default"), "")
		}
	case len(s.Enum) > 0:
		for _, w := range s.Enum {
			offer(w, "", mark(s.Default == config.Quote(w), "default"), "")
		}
	case valueRef(s) != noRef:
		for _, c := range p.choices(valueRef(s), path, typed) {
			if strings.Contains(strings.ToLower(c.word), typed) { // of thousands of models only some are sent
				offer(c.word, "", c.detail, c.doc)
			}
		}
	case s.Default != "":
		offer(config.Unquote(s.Default), s.Default, "default", "")
	}
	return out
}

func mark(is bool, word string) string {
	if is {
		return word
	}
	return ""
}

// siblings are the other words of the list a path stands in.
func (p *page) siblings(path string) []string {
	list := config.ParentPath(path)
	s, ok := config.Describe(list)
	if n := p.out.Find(list); !ok || s.Kind != config.KindStrings || n == nil {
		return nil
	}
	var out []string
	for _, e := range p.elements(p.out.Find(list)) {
		if e.Path != path {
			out = append(out, p.word(e))
		}
	}
	return out
}
