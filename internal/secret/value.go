package secret

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// redacted is what every way of printing a Value gives.
const redacted = "[redacted]"

// Value is a secret. Every way of printing, logging or marshalling it gives
// "[redacted]"; only Reveal gives the secret. The zero Value is empty.
//
// The text is behind a pointer, so that fmt prints an address where it cannot
// call methods: in the unexported fields of other structs.
type Value struct{ text *string }

// New makes a Value of a text.
func New(text string) Value { return Value{&text} }

// Reveal gives the secret itself. Whatever takes it must not print it.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Empty reports whether there is no secret.
func (v Value) Empty() bool { return v.Reveal() == "" }

// Equal compares in a time that does not depend on where the texts differ.
func (v Value) Equal(o Value) bool {
	if v.text == o.text {
		return true // a copy of the same Value: requests ask that all the time
	}
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(o.Reveal())) == 1
}

// Format implements fmt.Formatter for every verb.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String implements fmt.Stringer.
func (v Value) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (v Value) GoString() string { return redacted }

// LogValue implements slog.LogValuer.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// randomLength gives a random key 200 bits: 40 letters and digits of base 32.
const randomLength = 40

// RandomKey makes a key of the prefix (such as "kor-") and 40 random lower-case
// letters and digits, which need no escaping in a URL, a header or a shell.
func RandomKey(prefix string) Value {
	return New(prefix + strings.ToLower(rand.Text() + rand.Text())[:randomLength])
}
