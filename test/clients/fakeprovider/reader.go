package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// object is a JSON object; reading what is not there gives the zero value.
type object map[string]any

func (o object) str(key string) string { s, _ := o[key].(string); return s }

func (o object) obj(key string) object { m, _ := o[key].(map[string]any); return m }

func (o object) flag(key string) bool { b, _ := o[key].(bool); return b }

func (o object) num(key string) float64 { n, _ := o[key].(float64); return n }

func (o object) has(key string) bool { return o[key] != nil }

func (o object) list(key string) []object { return objects(o[key]) }

func objects(v any) []object {
	list, _ := v.([]any)
	out := make([]object, len(list))
	for i := range list {
		out[i], _ = list[i].(map[string]any)
	}
	return out
}

// ask is what a request says, as far as the script needs it.
type ask struct {
	model, system, last string
	images              []string
	calls               []call // of the last assistant turn that called, with their results
	tools               []string
	schema              object // of the answer, when one was asked for
	stream, think       bool
	usage               bool // usage is wanted in the stream
}

// call is one call of a tool that the conversation holds.
type call struct {
	id, name string
	args     object
	result   string
	done     bool
}

// reader checks a request while it reads it. The first thing that is wrong is
// kept; reading goes on with zero values.
type reader struct {
	header http.Header
	body   object
	err    error
	ask
}

func (r *reader) want(ok bool, format string, args ...any) bool {
	if !ok && r.err == nil {
		r.err = fmt.Errorf("bad request: "+format, args...)
	}
	return ok
}

// only refuses members that the vendor does not know.
func (r *reader) only(o object, where string, known string) {
	for name := range o {
		r.want(slices.Contains(strings.Fields(known), name), "%s: unknown field %q", where, name)
	}
}

// turn notes that the caller speaks: what was called before must be answered.
func (r *reader) user(text string) {
	if text != "" {
		r.settle()
		r.last, r.calls = text, nil
	}
}

// assistant notes that the model speaks again.
func (r *reader) assistant() {
	r.settle()
	r.calls = nil
}

func (r *reader) called(id, name string, args any) {
	o, isObject := args.(map[string]any)
	r.want(isObject, "the arguments of %s are no object", name)
	r.want(name != "", "a call without a name")
	for _, c := range r.calls {
		r.want(id == "" || c.id != id, "the call id %q is there twice", id)
	}
	r.calls = append(r.calls, call{id: id, name: name, args: o})
}

// resulted gives the result of a call, found by its id, or in order where the
// dialect has none.
func (r *reader) resulted(id, name, text string) {
	for i := range r.calls {
		c := &r.calls[i]
		if c.done || id != "" && c.id != id {
			continue
		}
		r.want(name == "" || c.name == name, "result of %q for a call of %q", name, c.name)
		c.done, c.result = true, text
		return
	}
	r.want(false, "a tool result for no call: id %q, name %q", id, name)
}

// settle refuses calls that have no result.
func (r *reader) settle() {
	for _, c := range r.calls {
		r.want(c.done, "the call %q of %s has no result", c.id, c.name)
	}
}

var toolName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$`)

func (r *reader) offer(name string, schema object) {
	r.want(toolName.MatchString(name), "tool name %q", name)
	r.want(!slices.Contains(r.tools, name), "tool %q is offered twice", name)
	r.want(strings.EqualFold(schema.str("type"), "object"), "the parameters of %s are of type %v", name, schema["type"])
	r.tools = append(r.tools, name)
}

// image takes an image's base64 and the type it is said to have.
func (r *reader) image(mediaType, data string) {
	b, err := base64.StdEncoding.DecodeString(data)
	r.want(err == nil && len(b) > 0, "an image that is not base64: %v", err)
	kind := http.DetectContentType(b)
	r.want(mediaType == "" || mediaType == kind, "an image of type %q is said to be %q", kind, mediaType)
	r.images = append(r.images, fmt.Sprintf("%s %x", kind, sha256.Sum256(b))[:len(kind)+13])
}

// dataURL takes an image in a data URL.
func (r *reader) dataURL(link string) {
	head, data, ok := strings.Cut(link, ";base64,")
	kind, isData := strings.CutPrefix(head, "data:")
	if r.want(ok && isData, "an image that is no data URL: %.40q", link) {
		r.image(kind, data)
	}
}

// parsed reads arguments that the dialect carries as text.
func (r *reader) parsed(text string) any {
	var v any
	r.want(json.Unmarshal([]byte(text), &v) == nil, "arguments that are no JSON: %q", text)
	return v
}

// choose checks a choice of tools that names one.
func (r *reader) choose(name string) {
	r.want(slices.Contains(r.tools, name), "the tool %q is chosen and not offered", name)
}

func (r *reader) embed(inputs int, names bool) []any {
	r.want(inputs > 0, "no input to embed")
	r.want(names, "there is no embedding model %q here", r.model)
	var all []any
	for i := range inputs {
		all = append(all, []float64{float64(i + 1), 0.5, -0.25, 0.125})
	}
	return all
}
