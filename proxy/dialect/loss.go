package dialect

import (
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// dropped is the Loss of a field that is left out.
func dropped(field string) proxy.Loss { return proxy.Loss{Field: field} }

// meant is the Loss of a left-out field that changes what the answer means.
func meant(field, note string) proxy.Loss {
	return proxy.Loss{Field: field, Note: note, Meaning: true}
}

// approximated is the Loss of a field sent as something near it.
func approximated(field, note string) proxy.Loss {
	return proxy.Loss{Field: field, Note: note, Approximated: true}
}

// extraLosses reports every extra field of the caller but those used. The wish
// that nothing be stored is kept by every provider that does not know the word.
func extraLosses(r *proxy.Request, used ...string) []proxy.Loss {
	var out []proxy.Loss
	for _, f := range r.Extra {
		if !slices.Contains(used, f.Name) && (f.Name != "store" || string(f.Raw) != "false") {
			out = append(out, dropped(f.Name))
		}
	}
	return out
}

// extra finds an extra field, nil when the caller did not send it.
func extra(r *proxy.Request, name string) []byte {
	for _, f := range r.Extra {
		if f.Name == name {
			return f.Raw
		}
	}
	return nil
}
