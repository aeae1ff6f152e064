package dialect

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// blank says whether a text holds nothing but white space.
func blank(lit jsondoc.Lit) bool { return len(trimRight(lit)) <= 2 }

// trimRight is a text without the white space at its end. The literal is only
// looked at from behind and shares its bytes unless something is cut off.
func trimRight(lit jsondoc.Lit) jsondoc.Lit {
	in := lit.Inner()
	end := len(in)
	for end > 0 {
		switch c := in[end-1]; {
		case c == ' ':
			end--
			continue
		case (c == 'n' || c == 't' || c == 'r') && escapedAt(in, end-1):
			end -= 2
			continue
		}
		break
	}
	if end == len(in) {
		return lit
	}
	out := make(jsondoc.Lit, 0, end+2)
	return append(append(append(out, '"'), in[:end]...), '"')
}

// escapedAt says whether the byte at i ends an escape: an odd number of
// backslashes stands before it.
func escapedAt(in []byte, i int) bool {
	slashes := 0
	for i--; i >= 0 && in[i] == '\\'; i-- {
		slashes++
	}
	return slashes%2 == 1
}

// textTypes are the media types beside text/… whose bytes are text.
var textTypes = []string{"application/json", "application/xml", "application/javascript", "application/x-yaml", "application/toml"}

// decodedText is the text of a document sent as bytes, where it is one.
func decodedText(m *proxy.Media, mime string) (jsondoc.Lit, bool) {
	isText := strings.HasPrefix(mime, "text/")
	for _, t := range textTypes {
		isText = isText || mime == t
	}
	if !isText {
		return nil, false
	}
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(m.Data)))
	n, err := base64.StdEncoding.Decode(raw, m.Data)
	if err != nil || !utf8.Valid(raw[:n]) {
		return nil, false
	}
	return jsondoc.QuoteBytes(bytes.TrimPrefix(raw[:n], utf8BOM)), true
}

// spoken are the parts of a turn. Where a dialect has no place for the
// speaker's name it stands before the first text.
func spoken(t proxy.Turn) (parts []proxy.Part, named bool) {
	if t.Name == "" || t.Role != proxy.RoleUser {
		return t.Parts, false
	}
	for i, p := range t.Parts {
		if p.Kind == proxy.PartText && p.Raw == nil {
			p.Text = jsondoc.JoinLits("", jsondoc.Quote(t.Name+": "), p.Text)
			return append(append(t.Parts[:i:i], p), t.Parts[i+1:]...), true
		}
	}
	return t.Parts, false
}
