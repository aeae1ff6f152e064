package dialect

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/korproxy/korproxy/internal/jsondoc"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

func TestGeminiSchema(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		lossy          bool
	}{
		{
			"edge 24: refused keywords at every depth",
			`{"$schema":"x","type":"object","additionalProperties":false,"properties":{"a":{"type":"array","items":{"type":"object","additionalProperties":false,"properties":{"n":{"type":"integer","exclusiveMinimum":0}}}}}}`,
			`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"n":{"type":"integer","minimum":0}}}}}}`, true,
		},
		{"edge 25: null in a union", `{"type":["string","null"],"description":"d"}`, `{"type":"string","description":"d","nullable":true}`, false},
		{"edge 25: null in anyOf", `{"anyOf":[{"type":"integer","minimum":1},{"type":"null"}],"title":"T","default":null}`, `{"type":"integer","title":"T","nullable":true,"minimum":1}`, false},
		{
			"edge 25: a reference", `{"$defs":{"P":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}},"type":"object","properties":{"p":{"$ref":"#/$defs/P","description":"d"}}}`,
			`{"type":"object","properties":{"p":{"type":"object","description":"d","properties":{"x":{"type":"number"}},"required":["x"]}}}`, false,
		},
		{
			"a reference to itself", `{"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}},"$ref":"#/$defs/N"}`,
			`{"type":"object","properties":{"next":{"type":"object"}}}`, true,
		},
		{
			"edge 26: properties named like keywords",
			`{"type":"object","properties":{"format":{"type":"string"},"const":{"type":"string","const":"x"},"$ref":{"type":"string"},"additionalProperties":{"type":"boolean"}},"required":["format","$ref"]}`,
			`{"type":"object","properties":{"format":{"type":"string"},"const":{"type":"string","enum":["x"]},"$ref":{"type":"string"},"additionalProperties":{"type":"boolean"}},"required":["format","$ref"]}`, false,
		},
		{"enum of words only", `{"enum":["a","",null,"b"]}`, `{"type":"string","nullable":true,"enum":["a","b"]}`, false},
		{"enum of numbers", `{"type":"integer","enum":[1,2]}`, `{"type":"integer"}`, true},
		{
			"oneOf", `{"oneOf":[{"type":"string"},{"type":"object","properties":{"a":{"type":"string"}}}],"description":"d"}`,
			`{"anyOf":[{"type":"string","description":"d"},{"type":"object","description":"d","properties":{"a":{"type":"string"}}}]}`, false,
		},
		{"two types", `{"type":["string","number","null"],"minLength":1}`, `{"anyOf":[{"type":"string","nullable":true,"minLength":1},{"type":"number","nullable":true}]}`, false},
		{
			"allOf", `{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"b":{"type":"boolean"}}}]}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"boolean"}},"required":["a"]}`, false,
		},
		{
			"a choice beside properties", `{"type":"object","properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
			`{"type":"object","properties":{"a":{"type":"string"}}}`, true,
		},
		{"an array of anything", `{"type":"array"}`, `{"type":"array","items":{"type":"string"}}`, true},
		{"a tuple", `{"type":"array","prefixItems":[{"type":"number"}]}`, `{"type":"array","items":{"type":"number"}}`, true},
		{
			"formats", `{"type":"object","properties":{"u":{"type":"string","format":"uri"},"t":{"type":"string","format":"date-time"}}}`,
			`{"type":"object","properties":{"u":{"type":"string"},"t":{"type":"string","format":"date-time"}}}`, false,
		},
		{"demanding what is not there", `{"type":"object","properties":{"a":{"type":"string"}},"required":["b"]}`, `{"type":"object","properties":{"a":{"type":"string"}}}`, false},
		{"Gemini's own capitals", `{"type":"OBJECT","properties":{"a":{"type":"STRING","nullable":true}}}`, `{"type":"object","properties":{"a":{"type":"string","nullable":true}}}`, false},
		{"anything goes", `{"type":"object","properties":{"a":true,"b":{}}}`, `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`, true},
		{"a text in place of a schema", `"x"`, `{"type":"object"}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, lossy := geminiSchema([]byte(c.in))
			if string(got) != c.want || lossy != c.lossy {
				t.Errorf("lossy %v\n got %s\nwant %s", lossy, got, c.want)
			}
			// What is clean stays as it is.
			if again, _ := geminiSchema(got); string(again) != string(got) {
				t.Errorf("cleaned again it is %s", again)
			}
		})
	}
}

func TestGeminiToolSchema(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"no parameters are unsaid", `{"type":"object","properties":{}}`, ""},
		{
			"a choice at the top", `{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"type":"object","properties":{"b":{"type":"string"}}}]}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := geminiTool([]byte(c.in)); string(got) != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestAnthropicSchema(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		lossy          bool
	}{
		{"an object stays", `{ "type":"object", "properties":{"a":{"anyOf":[{}]}}}`, `{ "type":"object", "properties":{"a":{"anyOf":[{}]}}}`, false},
		{
			"edge 29: a choice at the top", `{"type":"object","properties":{"k":{"type":"string"}},"required":["k"],"oneOf":[{"properties":{"a":{}},"required":["a","c"]},{"properties":{"b":{}},"required":["c"]}]}`,
			`{"type":"object","properties":{"k":{"type":"string"},"a":{},"b":{}},"required":["k","c"]}`, true,
		},
		{
			"allOf and a reference", `{"$ref":"#/$defs/A","$defs":{"A":{"type":"object","allOf":[{"properties":{"a":{"$ref":"#/$defs/B"}},"required":["a"]}]},"B":{"type":"string"}}}`,
			`{"type":"object","properties":{"a":{"$ref":"#/$defs/B"}},"required":["a"],"$defs":{"A":{"type":"object","allOf":[{"properties":{"a":{"$ref":"#/$defs/B"}},"required":["a"]}]},"B":{"type":"string"}}}`, false,
		},
		{"no type", `{"properties":{"a":{}},"additionalProperties":false}`, `{"type":"object","properties":{"a":{}},"additionalProperties":false}`, false},
		{"nothing", ``, `{"type":"object","properties":{}}`, false},
		{"no schema", `true`, `{"type":"object","properties":{}}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, lossy := anthropicSchema([]byte(c.in))
			if string(got) != c.want || lossy != c.lossy {
				t.Errorf("lossy %v\n got %s\nwant %s", lossy, got, c.want)
			}
		})
	}
}

func TestAnthropicFormat(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		lossy          bool
	}{
		{"closed already", `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`, `{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`, false},
		{
			"open", `{"type":"object","properties":{"minimum":{"type":"integer","minimum":1,"enum":[1,2]}},"required":["minimum"]}`,
			`{"type":"object","properties":{"minimum":{"type":"integer","enum":[1,2]}},"required":["minimum"],"additionalProperties":false}`, true,
		},
		{
			"oneOf in a list", `{"type":"array","items":{"oneOf":[{"type":"string"},{"type":"object","properties":{}}]}}`,
			`{"type":"array","items":{"anyOf":[{"type":"string"},{"type":"object","properties":{},"additionalProperties":false}]}}`, false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, lossy := anthropicFormat([]byte(c.in))
			if d := cmp.Diff(decodedJSON(t, []byte(c.want)), decodedJSON(t, got)); d != "" || lossy != c.lossy {
				t.Errorf("lossy %v, want -, got +\n%s", lossy, d)
			}
		})
	}
}

func TestOpenAISchema(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", ``, `{"type":"object","properties":{}}`},
		{"as it should be", `{"type":"object", "properties":{"items":{"type":"array","items":{}}}}`, `{"type":"object", "properties":{"items":{"type":"array","items":{}}}}`},
		{
			"an array of what", `{"type":"object","properties":{"a":{"type":"array"},"b":{"type":["array","null"]}}}`,
			`{"type":"object","properties":{"a":{"type":"array","items":{}},"b":{"type":["array","null"],"items":{}}}}`,
		},
		{"an object of nothing", `{"type":"object"}`, `{"type":"object","properties":{}}`},
		{"no type", `{"description":"d"}`, `{"description":"d","type":"object","properties":{}}`},
		{"data stays", `{"type":"object","properties":{"a":{"default":{"type":"array"},"enum":[{"type":"array"}]}}}`, `{"type":"object","properties":{"a":{"default":{"type":"array"},"enum":[{"type":"array"}]}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := openAISchema([]byte(c.in)); string(got) != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestPlainSchema(t *testing.T) {
	in := `{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"format":"enum","enum":["A"]},"l":{"type":"ARRAY","min_items":"2","items":{"any_of":[{"type":"INTEGER"}]}}},"propertyOrdering":["l"]}`
	want := `{"type":"object","properties":{"type":{"type":["string","null"],"enum":["A"]},"l":{"type":"array","minItems":2,"items":{"anyOf":[{"type":"integer"}]}}}}`
	if got := plainSchema([]byte(in)); string(got) != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// A schema of a few lines must not become one of megabytes.
func TestSchemasDoNotExplode(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/0","$defs":{`)
	for i := range 20 {
		next := string(rune('a' + i + 1))
		b.WriteString(`"` + string(rune('a'+i)) + `":{"type":"object","properties":{"x":{"$ref":"#/$defs/` + next + `"},"y":{"$ref":"#/$defs/` + next + `"},"z":{"allOf":[{"$ref":"#/$defs/` + next + `"}]}}},`)
	}
	in := strings.Replace(b.String(), "#/$defs/0", "#/$defs/a", 1) + `"u":{"type":"string"}}}`
	got, lossy := geminiSchema([]byte(in))
	if len(got) > 4*maxSchema || !lossy {
		t.Errorf("%d bytes of %d, lossy %v", len(got), len(in), lossy)
	}
}

// FuzzSchema: any JSON becomes JSON, the same each time, and names of
// properties are never lost.
func FuzzSchema(f *testing.F) {
	for _, dialect := range []string{proxytest.AnthropicMessages, proxytest.Gemini} {
		for _, x := range proxytest.Load(f).Dialect(dialect).Feature("tools") {
			doc, err := jsondoc.Parse(x.Request.Body)
			if err != nil || len(x.Request.Body) > 20_000 {
				continue
			}
			for _, tool := range doc.Root().Get("tools").Elems() {
				f.Add([]byte(tool.Get("input_schema").Raw()))
				f.Add([]byte(tool.Get("functionDeclarations").Index(0).Get("parameters").Raw()))
			}
		}
	}
	f.Add([]byte(`{"$ref":"#","allOf":[{"$ref":"#"}],"anyOf":[{"$ref":"#"}]}`))
	f.Add([]byte(`{"properties":{"a":{"$ref":"#/properties/b"},"b":{"$ref":"#/properties/a"}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		lossy := func(fn func([]byte) ([]byte, bool)) func([]byte) []byte {
			return func(b []byte) []byte { out, _ := fn(b); return out }
		}
		for name, clean := range map[string]func([]byte) []byte{
			"gemini": lossy(geminiSchema), "gemini tool": lossy(geminiTool), "anthropic": lossy(anthropicSchema),
			"format": lossy(anthropicFormat), "openai": openAISchema, "plain": plainSchema,
		} {
			if name == "plain" && !json.Valid(raw) {
				continue
			}
			out := clean(raw)
			if out != nil && !json.Valid(out) {
				t.Fatalf("%s: %s", name, out)
			}
			if string(clean(raw)) != string(out) {
				t.Fatalf("%s: another result the second time", name)
			}
		}
	})
}
