package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	envPattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9._:\[\]-]+$`)
)

const nameFix = "use letters, digits, dot, dash and underscore"

// check judges one value by its field's enum and rule. An empty code is right.
// No message repeats a value that could be a secret.
func check(f *field, v reflect.Value) (code, message, fix string) {
	words := []string{}
	switch f.kind {
	case kindString:
		words = append(words, v.String())
	case kindStrings:
		for i := range v.Len() {
			words = append(words, v.Index(i).String())
		}
	case kindInt, kindBytes:
		return checkNumber(f.check, float64(v.Int()))
	case kindFloat:
		return checkNumber(f.check, v.Float())
	case kindInts:
		for i := range v.Len() {
			if code, message, fix = checkNumber(f.check, float64(v.Index(i).Int())); code != "" {
				return code, message, fix
			}
		}
		return "", "", ""
	default:
		return "", "", ""
	}
	for _, w := range words {
		if len(f.enum) > 0 && !slices.Contains(f.enum, w) {
			fix = "allowed: " + strings.Join(f.enum, ", ")
			if n := Nearest(w, f.enum); n != "" {
				fix = fmt.Sprintf("did you mean %q? %s", n, fix)
			}
			return codeValue, "value not allowed", fix
		}
		if code, message, fix = checkWord(f.check, w); code != "" {
			return code, message, fix
		}
	}
	return "", "", ""
}

func checkNumber(rule string, n float64) (code, message, fix string) {
	switch {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return codeValue, "must be a number", ""
	case rule == "positive" && n <= 0:
		return codeValue, "must be greater than 0", ""
	case rule == "notNegative" && n < 0:
		return codeValue, "must not be negative", ""
	case rule == "percent" && (n < 0 || n > 100):
		return codeValue, "must be a percentage from 0 to 100", ""
	}
	return "", "", ""
}

func checkWord(rule, w string) (code, message, fix string) {
	switch rule {
	case "listen":
		return checkListen(w)
	case "url":
		return checkURL(w)
	case "required":
		if w == "" {
			return codeValue, "must not be empty", ""
		}
	case "name":
		if !namePattern.MatchString(w) {
			return codeValue, "not a name", nameFix
		}
	case "env":
		if w != "" && !envPattern.MatchString(w) {
			return codeSecret, "not the name of an environment variable",
				"write the variable's name, such as OPENAI_API_KEY, not the key itself"
		}
	case "host":
		if !hostPattern.MatchString(w) {
			return codeValue, "not a host name", "write the name alone, without scheme or path"
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, w); w != "" && err != nil {
			return codeValue, "not a date", "write it as YYYY-MM-DD"
		}
	case "hours":
		if _, _, ok := ParseHours(w); w != "" && !ok {
			return codeValue, "not hours of a day", "write them as 09:00-17:30; 22:00-06:00 goes over midnight"
		}
	case "target":
		return checkTarget(w)
	}
	return "", "", ""
}

func checkListen(addr string) (code, message, fix string) {
	fix = "write host:port, for instance 127.0.0.1:1337"
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return codeListen, "not a host and a port", fix
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return codeListen, "port is not a number from 0 to 65535", fix
	}
	if host != "" && !hostPattern.MatchString(host) {
		return codeListen, "not a host name or address", fix
	}
	return "", "", ""
}

// operations are last path segments of a pasted endpoint, not of a base. The
// model list is not among them: a base of Azure's ends in /models.
var operations = []string{"completions", "responses", "messages", "embeddings", "chat", "generate"}

func checkURL(raw string) (code, message, fix string) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return "", "", ""
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return codeURL, "not a URL", "write it as https://host/path"
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return codeURL, "not an absolute http or https URL", "begin it with https:// or http://"
	case u.User != nil:
		return codeURL, "holds a user name or password", "store the key with 'korproxy accounts add'"
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return codeURL, "holds a query or fragment", "end it with the path; Azure's version is api_version"
	case slices.Contains(operations, path.Base(u.Path)):
		return codeURL, "ends in an operation", "leave off /" + path.Base(u.Path) + "; KorProxy adds it"
	}
	return "", "", ""
}

// refusedHeaders cannot be set in a provider's headers: credentials, our own
// identity, and what the HTTP client itself decides.
var refusedHeaders = map[string]string{
	"authorization": codeSecret, "proxy-authorization": codeSecret, "cookie": codeSecret,
	"x-api-key": codeSecret, "api-key": codeSecret, "x-goog-api-key": codeSecret,
	"user-agent": codeValue, "host": codeValue, "connection": codeValue, "content-length": codeValue,
	"transfer-encoding": codeValue, "accept-encoding": codeValue,
}

var headerPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// checkEntry judges one entry of a table of strings.
func checkEntry(f *field, key, value string) (code, message, fix string) {
	switch f.check {
	case "headers":
		if !headerPattern.MatchString(key) || strings.ContainsAny(value, "\r\n\x00") {
			return codeValue, "not a valid header", ""
		}
		switch refusedHeaders[strings.ToLower(key)] {
		case codeSecret:
			return codeSecret, "keys do not belong in the config file", "store the key with 'korproxy accounts add', and set auth"
		case codeValue:
			return codeValue, "this header is KorProxy's own", "leave it out"
		}
	case "surfaces":
		dialects := providerSchema().child("dialect").enum
		if !slices.Contains(dialects, key) {
			return codeValue, "unknown dialect", "known: " + strings.Join(dialects, ", ")
		}
		if value != surfaceOff {
			return checkURL(value)
		}
	case "target":
		if code, message, fix = checkTarget(value); code == "" && strings.TrimSpace(value) == "" {
			return codeValue, "must not be empty", targetFix
		}
		return code, message, fix
	}
	return "", "", ""
}

// validate judges what concerns more than one key. It runs on the config of
// all layers together, since a flag may mend what a file has wrong.
func (l *loader) validate() {
	l.validateListen()
	l.validateProviders()
	l.validateRouting()
	seen := map[string]int{}
	for i, a := range l.cfg.Accounts {
		p := indexPath("accounts", i)
		if first, dup := seen[a.ID()]; dup && a.Provider != "" && !l.reported(p+".name") {
			l.report(codeTwice, p+".name", fmt.Sprintf("account %s is already the %s", a.ID(), indexPath("accounts", first)),
				"give each account of a provider its own name")
		} else {
			seen[a.ID()] = i
		}
		l.validateAccountProvider(a, p)
		l.validateAccountWay(a, p)
	}
}

func (l *loader) validateAccountProvider(a Account, at string) {
	if l.opts.Catalogue == nil || a.Provider == "" {
		return
	}
	_, known := l.opts.Catalogue[a.Provider]
	if _, own := l.cfg.Providers[a.Provider]; known || own {
		return
	}
	names := sortedKeys(l.opts.Catalogue, l.cfg.Providers)
	fix := "known: " + strings.Join(names, ", ")
	if n := Nearest(a.Provider, names); n != "" {
		fix = fmt.Sprintf("did you mean %q?", n)
	}
	l.report(codeProvider, at+".provider", "unknown provider", fix)
}

func (l *loader) validateListen() {
	host, _, err := net.SplitHostPort(l.cfg.Listen)
	if err != nil || isLoopback(host) {
		return
	}
	if !l.cfg.Local.AllowRemote {
		l.report(codeRemote, "listen", "other machines can reach this address",
			"listen on 127.0.0.1, or set allow_remote = true under [local]")
		return
	}
	if !l.cfg.Local.RequireKey {
		l.report(codeRemote, "local.require_key", "keys cannot be off while other machines can reach the address",
			"set it to true, or listen on 127.0.0.1")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func (l *loader) validateProviders() {
	for _, name := range sortedKeys(l.cfg.Providers) {
		p, at := l.cfg.Providers[name], joinPath("providers", name)
		ids := map[string]bool{}
		for i, m := range p.Models {
			if m.ID != "" && ids[m.ID] {
				l.report(codeTwice, indexPath(at+".models", i)+".id", "model is named twice", "")
			}
			ids[m.ID] = true
		}
		l.validateWays(name)
		if _, listed := l.opts.Catalogue[name]; listed || l.opts.Catalogue == nil {
			continue
		}
		for _, need := range []struct{ key, value string }{{"dialect", p.Dialect}, {"base_url", p.BaseURL}} {
			// A key that is there but wrong has been reported already.
			if need.value == "" && !l.reported(at+"."+need.key) {
				l.report(codeRow, at, "not in the catalogue, so it needs "+need.key, l.catalogueHint(name))
			}
		}
	}
}

func (l *loader) catalogueHint(name string) string {
	if n := Nearest(name, sortedKeys(l.opts.Catalogue)); n != "" {
		return fmt.Sprintf("did you mean [providers.%s]?", n)
	}
	return "set dialect and base_url"
}

func sortedKeys(ms ...map[string]Provider) []string {
	var out []string
	for _, m := range ms {
		for k := range m {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
