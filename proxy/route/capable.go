package route

import (
	"fmt"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// lacks is what a model is known not to take. A model without structured output
// of its own is asked for it in another way, so that is not among it.
func lacks(m *proxy.Model) proxy.Features {
	var f proxy.Features
	if m.Policy.NoImages || m.Vision == proxy.No {
		f |= proxy.NeedVision
	}
	if m.PDF == proxy.No {
		f |= proxy.NeedPDF
	}
	if m.Policy.NoTools || m.Tools == proxy.No {
		f |= proxy.NeedTools
	}
	return f
}

// tooLong says whether an input exceeds a model's context for certain: what is
// counted from sizes may be wrong by two.
func tooLong(m *proxy.Model, tokens int64) bool { return m.Context > 0 && tokens/2 > m.Context }

// able leaves the places that can do what the request needs, as far as is known.
// The body is looked into only where that may matter.
func (w *work) able() error {
	doubt := false
	for i := range w.places {
		m := w.places[i].Model
		doubt = doubt || lacks(m) != 0 || tooLong(m, w.r.In.Tokens)
	}
	if !doubt {
		return nil
	}
	return w.sieve()
}

// sieve takes out what cannot.
//
//go:noinline
func (w *work) sieve() error {
	in := w.r.In
	need := in.Inspect().Features
	tokens := in.Tokens // counted anew by the inspection, as media are not text
	left, why := w.places[:0], ""
	for i := range w.places {
		p := &w.places[i]
		reason := cannot(p.Model, need, tokens)
		if reason == "" {
			left = append(left, *p)
			continue
		}
		if why == "" {
			why = p.Provider.ID + "/" + p.Model.ID + " " + reason
		}
		if w.r.Explain {
			w.exclude(p.Provider.ID, p.Account.Name, p.Model.ID, reason)
		}
	}
	clear(w.places[len(left):]) // nothing is kept of them
	w.places = left
	if len(left) == 0 {
		return fault.New(fault.NotCapable, "no model the request may go to can take it: %s", why)
	}
	return nil
}

// abilities are the features as what a model cannot do.
var abilities = []struct {
	need proxy.Features
	text string
}{{proxy.NeedVision, "read images"}, {proxy.NeedPDF, "read PDF files"}, {proxy.NeedTools, "call tools"}}

// cannot says why a model cannot take a request, "" when it may.
func cannot(m *proxy.Model, need proxy.Features, tokens int64) string {
	if missing := lacks(m) & need; missing != 0 {
		var words []string
		for _, a := range abilities {
			if missing&a.need != 0 {
				words = append(words, a.text)
			}
		}
		return "cannot " + strings.Join(words, " and ")
	}
	if tooLong(m, tokens) {
		return fmt.Sprintf("takes %d tokens, and the input is about %d", m.Context, tokens)
	}
	return ""
}
