package config

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"time"
)

// WriteSchema writes guides/reference/config.schema.json, a JSON schema of the
// 2020-12 draft for editors that complete and check TOML.
func WriteSchema(w io.Writer) error {
	root := describe(schema(), reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "korproxy.toml"
	root["$comment"] = "Generated from internal/config by 'make generate'."
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(root)
}

type object = map[string]any

// describe gives the schema of one key.
func describe(f *field, t reflect.Type) object {
	o := shape(f, t)
	if f.doc != "" {
		o["description"] = f.doc
	}
	if f.def != "" {
		v := reflect.New(t).Elem()
		if err := setText(f, v, f.def); err != nil {
			panic(err) // fillDefaults has taken the same text
		}
		o["default"] = plain(f, v)
	}
	return o
}

func shape(f *field, t reflect.Type) object {
	switch f.kind {
	case kindBool, kindToggle:
		return object{"type": "boolean"}
	case kindInt:
		return object{"type": "integer", "minimum": 0}
	case kindFloat:
		return object{"type": "number", "minimum": 0}
	case kindInts:
		return object{"type": "array", "items": object{"type": "integer", "minimum": 0}}
	case kindBytes:
		return object{"anyOf": []object{
			{"type": "integer", "minimum": 1},
			{"type": "string", "pattern": `^\s*[0-9]+\s*([KkMmGg]([Ii])?)?[Bb]?\s*$`},
		}}
	case kindDuration:
		return object{"type": "string", "pattern": `^(0|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`}
	case kindStrings:
		item := object{"type": "string"}
		if len(f.enum) > 0 {
			item["enum"] = f.enum
		}
		return object{"type": "array", "items": item}
	case kindStringMap:
		return object{"type": "object", "additionalProperties": object{"type": "string"}}
	case kindTable:
		return table(f.fields, t)
	case kindTableMap:
		return object{"type": "object", "additionalProperties": table(f.fields, t.Elem())}
	case kindTableList:
		return object{"type": "array", "items": table(f.fields, t.Elem())}
	}
	o := object{"type": "string"}
	if len(f.enum) > 0 {
		o["enum"] = f.enum
	}
	return o
}

func table(fields []*field, t reflect.Type) object {
	props, required := object{}, []string{}
	for _, f := range fields {
		props[f.name] = describe(f, t.FieldByIndex(f.index).Type)
		if f.check == "required" {
			required = append(required, f.name)
		}
	}
	o := object{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// plain is a default as a JSON value, written the way the file has it.
func plain(f *field, v reflect.Value) any {
	switch f.kind {
	case kindDuration:
		return shortDuration(time.Duration(v.Int()))
	case kindBytes:
		return strings.Trim(renderBytes(v.Int()), `"`)
	default:
		return v.Interface()
	}
}
