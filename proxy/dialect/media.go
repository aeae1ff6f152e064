package dialect

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/korproxy/korproxy/proxy"
)

// splitDataURL takes a data: URL apart. The data must be base64; ok is false
// for any other URL.
func splitDataURL(url []byte) (mime string, data []byte, ok bool) {
	rest, ok := bytes.CutPrefix(url, []byte("data:"))
	if !ok {
		return "", nil, false
	}
	head, data, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return "", nil, false
	}
	head, ok = bytes.CutSuffix(head, []byte(";base64"))
	if !ok {
		return "", nil, false
	}
	mime, _, _ = strings.Cut(string(head), ";")
	return mime, data, true
}

// dataURL puts a data: URL together as the inside of a JSON string: base64 and
// media types need no escaping.
func dataURL(mime string, data []byte) []byte {
	out := make([]byte, 0, len(mime)+len(data)+13)
	out = append(out, "data:"...)
	out = append(out, mime...)
	out = append(out, ";base64,"...)
	return append(out, data...)
}

// mimeOf is the media type of m: what its bytes show where they are known to
// show it, else what the caller said. Providers refuse a picture under a wrong
// type, and callers often guess.
func mimeOf(m *proxy.Media) string {
	if len(m.Data) >= 8 {
		head := m.Data[:min(len(m.Data), 684)/4*4]
		raw := make([]byte, base64.StdEncoding.DecodedLen(len(head)))
		if n, err := base64.StdEncoding.Decode(raw, head); err == nil || n > 0 {
			switch t := http.DetectContentType(raw[:n]); t {
			case "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "application/pdf", "audio/mpeg", "audio/wave", "video/mp4", "video/webm":
				if t == "audio/wave" {
					return "audio/wav"
				}
				if m.MIME == "" || sameFamily(t, m.MIME) {
					return t
				}
			}
		}
	}
	return m.MIME
}

// sameFamily holds where the sniffed type may replace the stated one: sniffing
// tells picture formats apart, but not a video container from its audio.
func sameFamily(sniffed, stated string) bool {
	a, _, _ := strings.Cut(sniffed, "/")
	b, _, _ := strings.Cut(stated, "/")
	return a == b || b == "application" && stated == "application/octet-stream"
}
