package jsondoc

import (
	"math"
	"strconv"
)

// Writer builds JSON text at the end of Buf and sets the commas and colons.
// The zero Writer is ready. Calls in an order that JSON has a form for give
// valid text; other orders are the caller's mistake and are not detected.
type Writer struct {
	Buf   []byte
	comma bool // a value stands before the next one at the same level
}

// Reset starts a new text behind what buf holds, reusing its space.
func (w *Writer) Reset(buf []byte) { w.Buf, w.comma = buf, false }

// Bytes is all that Buf holds. It is valid until the next call of a method.
func (w *Writer) Bytes() []byte { return w.Buf }

func (w *Writer) sep() {
	if w.comma {
		w.Buf = append(w.Buf, ',')
	}
	w.comma = true
}

func (w *Writer) begin(c byte) {
	w.sep()
	w.Buf = append(w.Buf, c)
	w.comma = false
}

func (w *Writer) end(c byte) {
	w.Buf = append(w.Buf, c)
	w.comma = true
}

// BeginObject opens an object.
func (w *Writer) BeginObject() { w.begin('{') }

// EndObject closes it.
func (w *Writer) EndObject() { w.end('}') }

// BeginArray opens an array.
func (w *Writer) BeginArray() { w.begin('[') }

// EndArray closes it.
func (w *Writer) EndArray() { w.end(']') }

// Key writes the name of the next member, which must be ASCII and free of
// quotes, backslashes and control characters: a constant of the code.
func (w *Writer) Key(key string) {
	w.sep()
	w.Buf = append(w.Buf, '"')
	w.Buf = append(w.Buf, key...)
	w.Buf = append(w.Buf, '"', ':')
	w.comma = false
}

// KeyBytes writes the name of the next member, escaping what needs it.
func (w *Writer) KeyBytes(key []byte) {
	w.sep()
	w.Buf = append(AppendQuoted(w.Buf, key), ':')
	w.comma = false
}

// String writes a string, by the rules of Quote.
func (w *Writer) String(s string) {
	w.sep()
	w.Buf = AppendQuoted(w.Buf, []byte(s)) // the compiler sees that this needs no copy
}

// Lit writes a literal as it is; an absent one becomes "".
func (w *Writer) Lit(l Lit) {
	w.sep()
	if len(l) < 2 {
		w.Buf = append(w.Buf, `""`...)
		return
	}
	w.Buf = append(w.Buf, l...)
}

// Int writes a whole number.
func (w *Writer) Int(n int64) {
	w.sep()
	w.Buf = strconv.AppendInt(w.Buf, n, 10)
}

// Float writes a number in the fewest digits that read back the same. What
// JSON has no form for, infinities and NaN, becomes null.
func (w *Writer) Float(f float64) {
	w.sep()
	abs := math.Abs(f)
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		w.Buf = append(w.Buf, "null"...)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		w.Buf = strconv.AppendFloat(w.Buf, f, 'e', -1, 64)
	default:
		w.Buf = strconv.AppendFloat(w.Buf, f, 'f', -1, 64)
	}
}

// Bool writes true or false.
func (w *Writer) Bool(b bool) {
	w.sep()
	w.Buf = strconv.AppendBool(w.Buf, b)
}

// Null writes null.
func (w *Writer) Null() {
	w.sep()
	w.Buf = append(w.Buf, "null"...)
}

// Raw writes a JSON text as it is, white space included; an empty one becomes
// null.
func (w *Writer) Raw(text []byte) {
	w.sep()
	if len(text) == 0 {
		w.Buf = append(w.Buf, "null"...)
		return
	}
	w.Buf = append(w.Buf, text...)
}

// JSONString writes a JSON text as a string that holds it, the way the OpenAI
// dialects carry the arguments of a tool call.
func (w *Writer) JSONString(text []byte) {
	w.sep()
	w.Buf = AppendQuoted(w.Buf, text)
}

// Str writes a member that is a string.
func (w *Writer) Str(key, s string) {
	w.Key(key)
	w.String(s)
}

// LitField writes a member that is a string given as literal.
func (w *Writer) LitField(key string, l Lit) {
	w.Key(key)
	w.Lit(l)
}

// IntField writes a member that is a whole number.
func (w *Writer) IntField(key string, n int64) {
	w.Key(key)
	w.Int(n)
}

// BoolField writes a member that is true or false.
func (w *Writer) BoolField(key string, b bool) {
	w.Key(key)
	w.Bool(b)
}

// RawField writes a member that is a JSON text already.
func (w *Writer) RawField(key string, text []byte) {
	w.Key(key)
	w.Raw(text)
}
