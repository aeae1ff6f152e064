package dialect

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy"
)

// vectorJSON is a vector as a JSON array of numbers, however it came. Numbers
// keep the spelling they came in.
func vectorJSON(v proxy.Vector) ([]byte, error) {
	if v.JSON != nil {
		return v.JSON, nil
	}
	raw, err := base64.StdEncoding.DecodeString(string(v.Base64))
	if err != nil || len(raw)%4 != 0 {
		return nil, fault.New(fault.UpstreamBadJSON, "the provider sent an embedding that is not base64 of float32 numbers")
	}
	out := make([]byte, 0, len(raw)*3)
	out = append(out, '[')
	for i := 0; i < len(raw); i += 4 {
		if i > 0 {
			out = append(out, ',')
		}
		f := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0 // JSON has no form for it, and a vector with it is worth nothing
		}
		out = strconv.AppendFloat(out, f, 'g', -1, 32)
	}
	return append(out, ']'), nil
}

// vectorBase64 is a vector as base64 of little-endian float32, as OpenAI's
// clients ask for by themselves.
func vectorBase64(v proxy.Vector) ([]byte, error) {
	if v.Base64 != nil {
		return v.Base64, nil
	}
	doc, err := jsondoc.Parse(v.JSON)
	if err != nil || doc.Root().Kind() != jsondoc.Array {
		return nil, fault.New(fault.UpstreamBadJSON, "the provider sent an embedding that is not a list of numbers")
	}
	var raw []byte
	for _, n := range doc.Root().Elems() {
		f, ok := n.Float()
		if !ok {
			return nil, fault.New(fault.UpstreamBadJSON, "the provider sent an embedding that is not a list of numbers")
		}
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(f)))
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// writeVector writes one vector in the spelling the caller asked for. One that
// cannot be converted is written as it came: its shape was checked when it was
// read.
func writeVector(w *jsondoc.Writer, v proxy.Vector, asBase64 bool) {
	if asBase64 {
		if b, err := vectorBase64(v); err == nil {
			w.JSONString(b)
			return
		}
	}
	if b, err := vectorJSON(v); err == nil {
		w.Raw(b)
		return
	}
	w.JSONString(v.Base64)
}

// readVector reads an embedding, a list of numbers or base64 of them.
func readVector(v jsondoc.Value) (proxy.Vector, error) {
	switch v.Kind() {
	case jsondoc.String:
		out := proxy.Vector{Base64: plainBytes(v)}
		raw, err := base64.StdEncoding.DecodeString(string(out.Base64))
		if err != nil || len(raw)%4 != 0 {
			return out, fault.New(fault.UpstreamBadJSON, "the provider sent an embedding that is not base64 of float32 numbers")
		}
		return out, nil
	case jsondoc.Array:
		for _, n := range v.Elems() {
			if n.Kind() != jsondoc.Number {
				return proxy.Vector{}, fault.New(fault.UpstreamBadJSON, "the provider sent an embedding that is not a list of numbers")
			}
		}
		return proxy.Vector{JSON: v.Raw()}, nil
	}
	return proxy.Vector{}, fault.New(fault.UpstreamBadJSON, "the provider's answer has an item without an embedding")
}
