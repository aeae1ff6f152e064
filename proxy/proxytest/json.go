package proxytest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// object is a decoded JSON object. Its getters answer the zero value for what is absent or of
// another type, and are safe on nil, so that a reader of foreign JSON needs no ladder of checks.
type object map[string]any

func decode(data []byte) (any, error) {
	in := json.NewDecoder(bytes.NewReader(data))
	in.UseNumber()
	var value any
	if err := in.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
}

func decodeObject(data []byte) (object, error) {
	value, err := decode(data)
	if err != nil {
		return nil, err
	}
	obj, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("want a JSON object, got %.40q", data)
	}
	return obj, nil
}

// has reports whether a member is there and not null.
func (o object) has(key string) bool { return o[key] != nil }

// present reports whether a member is there, null or not.
func (o object) present(key string) bool { _, ok := o[key]; return ok }

func (o object) str(key string) string { s, _ := o[key].(string); return s }

func (o object) isStr(key string) bool { _, ok := o[key].(string); return ok }

func (o object) flag(key string) bool { b, _ := o[key].(bool); return b }

func (o object) obj(keys ...string) object {
	for _, key := range keys {
		o, _ = o[key].(map[string]any)
	}
	return o
}

func (o object) list(key string) []any { l, _ := o[key].([]any); return l }

// objs gives the members of a list that are objects.
func (o object) objs(key string) []object {
	var out []object
	for _, v := range o.list(key) {
		if m, ok := v.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// int gives a whole number; ok is false when the member is no number.
func (o object) int(key string) (n int64, ok bool) {
	number, isNumber := o[key].(json.Number)
	if !isNumber {
		return 0, false
	}
	if n, err := number.Int64(); err == nil {
		return n, true
	}
	f, err := number.Float64()
	return int64(f), err == nil
}

func (o object) num(key string) int64 { n, _ := o.int(key); return n }

// canonical writes a decoded value with sorted keys, no space, numbers as spelled, and no HTML escapes.
func canonical(value any) string {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Sprintf("%v", value)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// canonicalArgs gives tool arguments one spelling: sorted compact JSON; "{}" for nothing
// and for null; the text
// itself when it is not JSON.
func canonicalArgs(text string) string {
	if strings.TrimSpace(text) == "" {
		return "{}"
	}
	value, err := decode([]byte(text))
	if err != nil {
		return text
	}
	if value == nil {
		return "{}"
	}
	return canonical(value)
}
