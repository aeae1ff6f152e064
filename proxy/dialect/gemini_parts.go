package dialect

import (
	"bytes"
	"strings"

	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// geminiPart is a part taken apart: its text or the one member that holds its
// data, and what may stand beside it.
type geminiPart struct {
	text      jsondoc.Lit
	thought   bool
	signature jsondoc.Value
	kind      string // name of the data's member, "" for text
	data      jsondoc.Value
	about     bool // metadata of a medium is there
}

func readGeminiPart(v jsondoc.Value) geminiPart {
	var p geminiPart
	for key, m := range v.Fields() {
		if m.IsNull() {
			continue
		}
		switch name := camelKey(key); string(name) {
		case "text":
			p.text = m.Lit()
		case "thought":
			p.thought = isTrue(m)
		case "thoughtSignature":
			p.signature = m
		case "videoMetadata", "mediaResolution":
			p.about = true
		case "partMetadata":
		default:
			p.kind, p.data = string(name), m
		}
	}
	return p
}

// geminiMedia reads inlineData or fileData.
func geminiMedia(p geminiPart, raw []byte) proxy.Part {
	m := &proxy.Media{MIME: member(p.data, "mimeType").String(), Name: member(p.data, "displayName").String()}
	if p.kind == "inlineData" {
		m.Data = standardBase64(plainBytes(p.data.Get("data")))
	} else {
		uri := member(p.data, "fileUri").String()
		if strings.HasPrefix(uri, "http") && !strings.HasPrefix(uri, "https://generativelanguage.googleapis.com/") {
			m.URL = uri
		} else {
			m.FileID = uri // Google's own storage, closed to others
		}
	}
	part := proxy.Part{Kind: mediaKind(m.MIME), Media: m, Opaque: geminiSignature(p.signature)}
	if p.about {
		part.Raw, part.Origin = raw, proxy.Gemini
	}
	return part
}

func mediaKind(mime string) proxy.PartKind {
	family, _, _ := strings.Cut(mime, "/")
	switch family {
	case "image":
		return proxy.PartImage
	case "audio":
		return proxy.PartAudio
	case "video":
		return proxy.PartVideo
	}
	return proxy.PartFile
}

// standardBase64 is base64 in its common alphabet, padded; protobuf's JSON also
// has the one for addresses.
func standardBase64(b []byte) []byte {
	if bytes.IndexByte(b, '-') < 0 && bytes.IndexByte(b, '_') < 0 && len(b)%4 == 0 {
		return b
	}
	out := make([]byte, len(b), len(b)+2)
	for i, c := range b {
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		out[i] = c
	}
	for len(out)%4 != 0 {
		out = append(out, '=')
	}
	return out
}

// geminiCall reads a whole functionCall.
func geminiCall(p geminiPart) proxy.Part {
	call := &proxy.Call{ID: p.data.Get("id").String(), Name: p.data.Get("name").String()}
	if args := p.data.Get("args"); !args.IsNull() {
		call.Args = args.Raw()
	}
	return proxy.Part{Kind: proxy.PartToolCall, Call: call, Opaque: geminiSignature(p.signature)}
}

// geminiResult reads a functionResponse. A response that is nothing but a value
// under one of the usual names is that value, as other dialects have it.
func geminiResult(p geminiPart) proxy.Part {
	res := &proxy.Result{CallID: p.data.Get("id").String(), Name: p.data.Get("name").String()}
	response := p.data.Get("response")
	value, isError := unwrapped(response)
	res.IsError = isError
	switch {
	case value.Kind() == jsondoc.String:
		res.Parts = []proxy.Part{{Kind: proxy.PartText, Text: value.Lit()}}
	case !value.IsNull() && (value.Kind() != jsondoc.Object || value.Len() > 0):
		res.Object = value.Raw()
	}
	for _, in := range p.data.Get("parts").Elems() {
		if part := readGeminiPart(in); part.kind == "inlineData" || part.kind == "fileData" {
			res.Parts = append(res.Parts, geminiMedia(part, in.Raw()))
		}
	}
	return proxy.Part{Kind: proxy.PartToolResult, Result: res}
}

// unwrapped takes the value out of {"output": …}, {"result": …} or
// {"error": …}; a response of another form is returned as it is.
func unwrapped(v jsondoc.Value) (value jsondoc.Value, isError bool) {
	if v.Len() != 1 {
		return v, v.Get("error").Kind() == jsondoc.String && !v.Get("output").Exists() && !v.Get("result").Exists()
	}
	for key, m := range v.Fields() {
		switch string(key) {
		case "output", "result", "error":
			return m, string(key) == "error"
		}
	}
	return v, false
}

// writeSignature writes a part's signature where Gemini made it.
func writeSignature(w *jsondoc.Writer, o *proxy.Opaque) {
	if sig := ownSignature(o); sig != "" {
		w.Str("thoughtSignature", sig)
	}
}

// writeGeminiMedia writes a medium by value or by address, with what a caller
// of this dialect said about it.
func writeGeminiMedia(w *jsondoc.Writer, p proxy.Part) {
	m := p.Media
	mime := mimeOf(m)
	w.BeginObject()
	if m.Data != nil {
		w.Key("inlineData")
		w.BeginObject()
		w.Str("mimeType", firstOf(mime, fallbackMIME(p.Kind)))
		w.Key("data")
		w.JSONString(m.Data)
	} else {
		uri := firstOf(m.URL, m.FileID)
		w.Key("fileData")
		w.BeginObject()
		if mime = firstOf(mime, mimeOfName(uri)); mime == "" && p.Kind == proxy.PartImage {
			mime = "image/jpeg" // Google wants a type, and looks for itself
		}
		if mime != "" {
			w.Str("mimeType", mime)
		}
		w.Str("fileUri", uri)
	}
	w.EndObject()
	if p.Raw != nil && p.Origin == proxy.Gemini {
		// Raw is a span of a text that was parsed: there can be no error.
		_ = jsondoc.Scan(p.Raw, func(key []byte, start, end int) bool {
			switch name := camel(key); name {
			case "videoMetadata", "mediaResolution":
				w.RawField(name, p.Raw[start:end])
			}
			return true
		})
	}
	writeSignature(w, p.Opaque)
	w.EndObject()
}

// fallbackMIME is the type of a medium of which no one said what it is.
func fallbackMIME(k proxy.PartKind) string {
	switch k {
	case proxy.PartImage:
		return "image/png"
	case proxy.PartAudio:
		return "audio/wav"
	case proxy.PartVideo:
		return "video/mp4"
	}
	return "application/pdf"
}

// mimeOfName guesses the type of a file from the end of its address.
func mimeOfName(uri string) string {
	uri, _, _ = strings.Cut(uri, "?")
	switch ext := uri[strings.LastIndexByte(uri, '.')+1:]; strings.ToLower(ext) {
	case "png", "webp", "gif", "heic", "heif":
		return "image/" + strings.ToLower(ext)
	case "jpg", "jpeg":
		return "image/jpeg"
	case "pdf":
		return "application/pdf"
	case "mp4", "webm":
		return "video/" + strings.ToLower(ext)
	case "mp3":
		return "audio/mpeg"
	case "wav":
		return "audio/wav"
	case "txt", "md", "html", "csv":
		return "text/plain"
	}
	return ""
}
