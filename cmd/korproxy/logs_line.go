package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// logLine is one line of the log.
type logLine struct {
	time   time.Time
	level  string
	msg    string
	fields []logField // in the order they were written
}

type logField struct {
	name  string
	value any
}

// parseLogLine reads a line as slog's JSON handler writes it.
func parseLogLine(b []byte) (l logLine, ok bool) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return l, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return l, false
		}
		var v any
		if d.Decode(&v) != nil {
			return l, false
		}
		text, _ := v.(string)
		switch name {
		case "time":
			if l.time, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return l, false
			}
		case "level":
			l.level = text
		case "msg":
			l.msg = text
		default:
			l.fields = append(l.fields, logField{fmt.Sprint(name), v})
		}
	}
	return l, l.msg != ""
}

// get is a field as text.
func (l *logLine) get(name string) string {
	for _, f := range l.fields {
		if f.name == name {
			return printable(fmt.Sprint(f.value))
		}
	}
	return ""
}

// number is a field as a number.
func (l *logLine) number(name string) int64 {
	n, _ := strconv.ParseInt(l.get(name), 10, 64)
	return n
}

// text is the line for people.
func (l *logLine) text(s screen) string {
	at := l.time.Local().Format(time.TimeOnly)
	switch l.msg {
	case "request":
		return at + " " + l.request(s)
	case "attempt":
		return at + " " + l.attempt(s)
	case "refused":
		return fmt.Sprintf("%s %-11s %s %s  %s %s", at, "refused", l.get("method"), l.get("path"), l.get("status"), s.colour(red, l.get("code")))
	}
	word, colour := "", 2
	switch {
	case strings.HasPrefix(l.level, "WARN"):
		word, colour = "WARN  ", yellow
	case strings.HasPrefix(l.level, "ERROR"):
		word, colour = "ERROR ", red
	case strings.HasPrefix(l.level, "DEBUG"):
		word = "DEBUG "
	}
	var b strings.Builder
	b.WriteString(at + " " + s.colour(colour, word+printable(l.msg)))
	for _, f := range l.fields {
		v := printable(fmt.Sprint(f.value))
		if strings.ContainsAny(v, " \"") || v == "" {
			v = strconv.Quote(v)
		}
		b.WriteString(" " + s.dim(f.name+"=") + v)
	}
	return b.String()
}

// request is the one line of a request.
func (l *logLine) request(s screen) string {
	tool, class := l.get("tool"), l.get("class")
	if tool == "" {
		tool = "-"
	}
	if class == "" {
		class = l.get("op")
	}
	outcome := l.get("outcome")
	colour := green
	switch outcome {
	case "error":
		colour = red
	case "left":
		colour = yellow
	}
	size := "-"
	if in, out := l.number("input"), l.number("output"); in+out > 0 {
		size = short(in) + "→" + short(out)
	}
	if code := l.get("code"); code != "" {
		outcome = code
	}
	parts := []string{
		fmt.Sprintf("%-11s %-10s %7s %11s ", shorten(tool, 11), class, span(l.number("ms")), size) + s.colour(colour, fmt.Sprintf("%-9s", outcome)),
		l.route(),
	}
	if n := l.number("attempts"); n > 1 {
		parts = append(parts, fmt.Sprintf("%d attempts", n))
	}
	if rule := l.get("rule"); rule != "" && s.wide() {
		parts = append(parts, s.dim("("+rule+")"))
	}
	if s.wide() || colour != green {
		parts = append(parts, s.dim(l.get("id")))
	}
	return strings.Join(parts, " ")
}

// attempt is the line of an attempt that failed, under way to the request's.
func (l *logLine) attempt(s screen) string {
	text := fmt.Sprintf("%-11s %-10s %7s %11s ", "", "attempt", span(l.number("ms")), "") + s.colour(red, fmt.Sprintf("%-9s", l.get("code"))) + " " + l.route()
	if n := l.number("waited"); n > 0 {
		text += " after waiting " + span(n)
	}
	if l.get("hedge") == "true" {
		text += " (hedge)"
	}
	return text
}

// route is where a request went, or the model nobody had.
func (l *logLine) route() string {
	if p := l.get("provider"); p != "" {
		return p + "/" + l.get("account") + "/" + l.get("model")
	}
	return l.get("model")
}

// printable takes away what would steer a terminal: some fields hold what a
// caller sent.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 {
			return '?'
		}
		return c
	}, s)
}
