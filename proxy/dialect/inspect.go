package dialect

import (
	"hash/maphash"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// seed makes the hashes of this process differ from those of any other: they
// are compared in memory and never kept.
var seed = maphash.MakeSeed()

// sessionHeaders are where tools put the name of the conversation.
var sessionHeaders = [...]string{"X-Claude-Code-Session-Id", "X-Session-Id", "X-Session-Affinity", "Session-Id", "Session_id", "Conversation_id", "Thread-Id"}

// maxSession bounds what is taken for a name.
const maxSession = 512

// Inspect decodes a request to see what it wants of a model, and which
// conversation it belongs to. It is a proxy.Inbound's Inspector; the estimate
// of the input is made better on the way: media are not text. A body that no
// codec reads shows nothing.
func Inspect(in *proxy.Inbound) proxy.Inspection {
	codec := For(in.Dialect)
	if codec == nil || in.Op == proxy.OpEmbed {
		return proxy.Inspection{}
	}
	doc, err := jsondoc.Parse(in.Body)
	if err != nil {
		return proxy.Inspection{}
	}
	r, err := codec.DecodeRequest(doc, in.Op, in.Model)
	if err != nil {
		return proxy.Inspection{}
	}
	var l look
	l.request(r)
	if in.Tokens > 0 {
		in.Tokens = max(0, in.Tokens-l.media/4) + l.tokens
	}
	return proxy.Inspection{Features: l.needs, Prefix: prefix(r, session(in, doc.Root(), r))}
}

// look gathers what a request wants.
type look struct {
	needs  proxy.Features
	media  int64 // bytes of the body that are media
	tokens int64 // what those come to
}

func (l *look) request(r *proxy.Request) {
	if len(r.Tools) > 0 {
		l.needs |= proxy.NeedTools
	}
	if r.Reasoning.Asked() {
		l.needs |= proxy.NeedReasoning
	}
	if r.Format.Kind == "schema" {
		l.needs |= proxy.NeedSchema
	}
	for i := range r.Turns {
		l.parts(r.Turns[i].Parts)
	}
	if r.Fill != nil {
		for i := range r.Fill.Images {
			l.medium(proxy.PartImage, &r.Fill.Images[i])
		}
	}
}

func (l *look) parts(parts []proxy.Part) {
	for i := range parts {
		switch p := &parts[i]; {
		case p.Result != nil:
			l.parts(p.Result.Parts)
		case p.Media != nil:
			l.medium(p.Kind, p.Media)
		}
	}
}

// What media come to in tokens, by and large: an image whatever its size, and
// of the others this many bytes of base64 for one token.
const (
	imageTokens   = 1000
	bytesPerFile  = 40
	bytesPerSound = 600
)

func (l *look) medium(kind proxy.PartKind, m *proxy.Media) {
	size := int64(len(m.Data))
	l.media += size
	mime := strings.ToLower(m.MIME)
	switch {
	case kind == proxy.PartAudio:
		l.needs |= proxy.NeedAudio
		l.tokens += size / bytesPerSound
	case kind == proxy.PartImage:
		l.needs |= proxy.NeedVision
		l.tokens += imageTokens
	case kind == proxy.PartFile && m.Text == nil && (mime == "" || strings.Contains(mime, "pdf")):
		l.needs |= proxy.NeedPDF
		l.tokens += size / bytesPerFile
	default:
		l.tokens += size / bytesPerFile
	}
}

// session is the name a caller gives the conversation, "" when it has none.
func session(in *proxy.Inbound, root jsondoc.Value, r *proxy.Request) string {
	name := r.CacheKey
	if name == "" {
		name = root.Path("metadata", "user_id").String()
		// Claude Code puts the session into it; others the user alone, which is no
		// conversation.
		if !strings.Contains(name, "session") {
			name = ""
		}
	}
	if c := root.Get("conversation"); name == "" && c.Exists() {
		if name = c.String(); name == "" {
			name = c.Get("id").String()
		}
	}
	for _, h := range sessionHeaders {
		if name == "" {
			name = in.Header.Get(h)
		}
	}
	if len(name) > maxSession {
		return ""
	}
	return name
}

// prefix hashes what stays the same from turn to turn: the instructions, the
// tools, and the name of the conversation or else all that stands before the
// model's first words. Marks for caching move from turn to turn and do not
// count.
func prefix(r *proxy.Request, session string) uint64 {
	h := &digest{}
	h.SetSeed(seed)
	h.parts(r.System)
	for i := range r.Tools {
		t := &r.Tools[i]
		h.text(t.Name)
		h.bytes(t.Description)
		h.bytes(t.Schema)
		h.bytes(t.Raw)
	}
	h.text("|")
	if session != "" {
		h.text(session)
		return h.sum()
	}
	spoken := false
	for i := range r.Turns {
		t := &r.Turns[i]
		if t.Role == proxy.RoleAssistant || t.Role == proxy.RoleTool {
			break
		}
		spoken = spoken || t.Role == proxy.RoleUser
		h.text(string(t.Role))
		h.parts(t.Parts)
	}
	if !spoken {
		return 0
	}
	return h.sum()
}

// digest hashes pieces so that none runs into the next.
type digest struct{ maphash.Hash }

func (h *digest) bytes(b []byte) {
	h.length(len(b))
	// A Hash takes all there is.
	_, _ = h.Write(b)
}

func (h *digest) text(s string) {
	h.length(len(s))
	_, _ = h.WriteString(s)
}

func (h *digest) length(n int) {
	_, _ = h.Write([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
}

func (h *digest) parts(parts []proxy.Part) {
	for i := range parts {
		p := &parts[i]
		if p.Text != nil && billingHeader(p.Text) {
			continue
		}
		h.length(int(p.Kind))
		h.bytes(p.Text)
		if m := p.Media; m != nil {
			h.bytes(m.Data)
			h.text(m.URL)
			h.text(m.FileID)
			h.bytes(m.Text)
		}
		h.bytes(p.Raw)
	}
}

// sum is never 0, which means that there is nothing to go by.
func (h *digest) sum() uint64 { return max(1, h.Sum64()) }
