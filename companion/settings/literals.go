package settings

import (
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
)

var (
	wholeNumber = regexp.MustCompile(`^[0-9]{1,18}$`)
	number      = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]+)?$`)
	plainWord   = regexp.MustCompile(`^[^"'\\\x00-\x1f\x7f]+$`)
)

var truths = map[string]string{
	"true": "true", "yes": "true", "on": "true", "1": "true", "false": "false", "no": "false", "off": "false", "0": "false",
}

// literalFixes write a value as the setting's type takes it.
func (p *page) literalFixes(m mistake) []companion.Fix {
	n := m.node
	if n.Kind == config.Header && m.setting.Kind == config.KindTableList {
		return []companion.Fix{edit("Write [["+n.Name+"]]", n.Whole, "["+p.source(n.Whole)+"]", true)}
	}
	if !m.exact || n.Value.End == n.Value.Start {
		return nil
	}
	var out []companion.Fix
	if literal := p.corrected(n, m.setting.Kind); literal != "" {
		out = append(out, replace(n, literal, true))
	} else if m.setting.Kind == config.KindBool || m.setting.Kind == config.KindToggle {
		out = append(out, replace(n, "true", false), replace(n, "false", false))
	}
	return append(out, p.remove(n, false))
}

// corrected is a value in the notation of a kind, "" when it cannot be meant.
func (p *page) corrected(n *config.Node, k config.Kind) string {
	raw := p.source(n.Value)
	word := strings.TrimSpace(config.Unquote(raw))
	list := strings.HasPrefix(raw, "[")
	switch k {
	case config.KindBool, config.KindToggle:
		return truths[strings.ToLower(word)]
	case config.KindInt, config.KindFloat:
		if wholeNumber.MatchString(word) || k == config.KindFloat && number.MatchString(word) {
			return word
		}
	case config.KindDuration:
		if wholeNumber.MatchString(word) {
			return config.Quote(word + "s")
		}
	case config.KindString:
		if only := p.elements(n); list && len(only) == 1 {
			return p.source(only[0].Value)
		} else if !list && !strings.HasPrefix(raw, "{") {
			return config.Quote(word)
		}
	case config.KindStrings, config.KindInts:
		return p.correctedList(n, raw, word, k)
	}
	return ""
}

func (p *page) correctedList(n *config.Node, raw, word string, k config.Kind) string {
	words := strings.Split(word, ",")
	if strings.HasPrefix(raw, "[") {
		words = nil
		for _, e := range p.elements(n) {
			words = append(words, p.word(e))
		}
	} else if strings.HasPrefix(raw, "{") {
		return ""
	}
	var out []string
	for _, w := range words {
		w = strings.TrimSpace(w)
		switch {
		case k == config.KindStrings && w != "":
			out = append(out, config.Quote(w))
		case k == config.KindInts && wholeNumber.MatchString(w):
			out = append(out, w)
		default:
			return ""
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// elements are those of a list.
func (p *page) elements(n *config.Node) []*config.Node {
	var out []*config.Node
	for i := range p.out.Nodes {
		if e := &p.out.Nodes[i]; e.Kind == config.Element && e.Table == n.Path {
			out = append(out, e)
		}
	}
	return out
}

// urlFixes write an address as the setting takes it.
func (p *page) urlFixes(m mistake) []companion.Fix {
	out := []companion.Fix{}
	if better := betterURL(p.word(m.node), m.Message); better != "" {
		out = append(out, replace(m.node, p.literal(m.node, better), true))
	}
	return append(out, p.remove(m.node, false))
}

func betterURL(raw, message string) string {
	raw = strings.TrimSpace(raw)
	if !strings.Contains(raw, "://") {
		if _, err := url.Parse("https://" + raw); err == nil && !strings.ContainsAny(raw, " \t") && raw != "" {
			return "https://" + strings.TrimLeft(raw, "/")
		}
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	switch {
	case strings.Contains(message, "encryption"):
		u.Scheme = "https"
	case strings.Contains(message, "operation"):
		u.Path = strings.TrimSuffix(path.Dir(strings.TrimSuffix(u.Path, "/")), "/")
		u.Path = strings.TrimSuffix(u.Path, "/chat")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.String() == raw {
		return ""
	}
	return u.String()
}
