package jsondoc_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

func TestWriter(t *testing.T) {
	var w jsondoc.Writer
	w.BeginObject()
	w.Str("model", "a \"b\"")
	w.Key("list")
	w.BeginArray()
	w.BeginArray()
	w.EndArray()
	w.BeginObject()
	w.EndObject()
	w.Int(-3)
	w.Float(0.25)
	w.Bool(true)
	w.Null()
	w.Raw([]byte(`{"x" : 1}`))
	w.Raw(nil)
	w.Lit(jsondoc.Lit(`"\u0041"`))
	w.Lit(nil)
	w.String("é\n")
	w.JSONString([]byte(`{"path":"a\\b"}`))
	w.EndArray()
	w.KeyBytes([]byte("odd \"name\""))
	w.Int(1)
	w.LitField("lit", jsondoc.Lit(`"l"`))
	w.IntField("int", math.MinInt64)
	w.BoolField("bool", false)
	w.RawField("raw", []byte(`[]`))
	w.Key("deep")
	w.BeginObject()
	w.RawField("none", nil)
	w.EndObject()
	w.EndObject()
	const want = `{"model":"a \"b\"","list":[[],{},-3,0.25,true,null,{"x" : 1},null,"\u0041","","é\n","{\"path\":\"a\\\\b\"}"],` +
		`"odd \"name\"":1,"lit":"l","int":-9223372036854775808,"bool":false,"raw":[],"deep":{"none":null}}`
	if got := string(w.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid(w.Buf) {
		t.Error("not JSON")
	}
}

func TestWriterAppends(t *testing.T) {
	var w jsondoc.Writer
	w.Int(1)
	w.Reset([]byte("data: "))
	w.BeginObject()
	w.EndObject()
	if got := string(w.Bytes()); got != "data: {}" {
		t.Errorf("got %q", got)
	}
}

func TestWriterFloat(t *testing.T) {
	for want, f := range map[string]float64{
		"null": math.NaN(), "0": 0, "1000000": 1e6, "0.000001": 1e-6, "1e-07": 1e-7, "1e+21": 1e21,
		"-0.1": -0.1, "1.7976931348623157e+308": math.MaxFloat64,
	} {
		var w jsondoc.Writer
		w.Float(f)
		if got := string(w.Bytes()); got != want {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
	}
	var w jsondoc.Writer
	w.Float(math.Inf(-1))
	if got := string(w.Bytes()); got != "null" {
		t.Errorf("infinity is written %s", got)
	}
}

func TestWriterDoesNotAllocate(t *testing.T) {
	w := jsondoc.Writer{Buf: make([]byte, 0, 4096)}
	text := string(jsondoc.Quote("a\nb"))
	if n := testing.AllocsPerRun(100, func() {
		w.Reset(w.Buf[:0])
		w.BeginObject()
		w.Str("text", text)
		w.IntField("n", 12345)
		w.EndObject()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
