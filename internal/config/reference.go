package config

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// WriteReference writes guides/reference/config.md.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(referenceHead)
	root := reflect.TypeFor[Config]()
	writeKeys(&b, "Top level", "", schema().fields, root, "")
	for _, c := range schema().fields {
		writeTable(&b, c, root.FieldByIndex(c.index).Type, c.name)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const referenceHead = `<!-- Generated from internal/config by 'make generate'. Edit the struct tags there, not this page. -->

# Config reference

KorProxy reads one TOML file, ` + "`korproxy.toml`" + `. Every key is optional and an empty or missing file works.
` + "`korproxy config path`" + ` prints where it is, ` + "`korproxy config check`" + ` verifies it, and
` + "`korproxy config explain KEY`" + ` says what a key's value is and who set it.

A value comes from the highest of these that has it:

1. a command-line flag
2. the environment variable of the key
3. ` + "`.korproxy.toml`" + ` in a trusted workspace (only the keys marked *workspace*)
4. the user's ` + "`korproxy.toml`" + `
5. the default

The daemon follows edits. A file with mistakes changes nothing: each mistake is reported with its line, and
the last good config stays in use. ` + "`KORPROXY_HOME`" + ` moves config, state, socket and secrets into one folder.

` + "```toml" + `
listen = "127.0.0.1:1337"

[providers.anthropic]                 # a catalogue row, overridden
base_url = "http://127.0.0.1:9101"

[providers.mine]                      # a provider of your own
dialect  = "openai-chat"
base_url = "http://127.0.0.1:9100/v1"

[[accounts]]
provider    = "anthropic"
name        = "default"
api_key_env = "ANTHROPIC_API_KEY"     # or a stored secret
` + "```" + `

Base URLs: a sender of an OpenAI dialect appends ` + "`/chat/completions`" + ` and the like to the base, so a base
without any path gets ` + "`/v1`" + ` and any written path stays as it is. For Anthropic, Gemini and Ollama the sender
writes the version itself, so one at the end of the base is taken off.

The same as a [JSON schema](config.schema.json), for editors that complete TOML.

`

// writeTable writes a section for every kind of table below a key.
func writeTable(b *strings.Builder, f *field, t reflect.Type, path string) {
	switch f.kind {
	case kindTable:
		envPath := path
		if strings.Contains(path, ".NAME") {
			envPath = ""
		}
		writeKeys(b, "`["+path+"]`", f.doc, f.fields, t, envPath)
	case kindTableMap:
		path += ".NAME"
		t = t.Elem()
		writeKeys(b, "`["+path+"]`", f.doc, f.fields, t, "")
	case kindTableList:
		t = t.Elem()
		writeKeys(b, "`[["+path+"]]`", f.doc, f.fields, t, "")
	default:
		return
	}
	for _, c := range f.fields {
		writeTable(b, c, t.FieldByIndex(c.index).Type, path+"."+c.name)
	}
}

// writeKeys writes the keys of one table. envPath is the table's path where
// its keys have environment variables; below maps and lists they have none.
func writeKeys(b *strings.Builder, title, doc string, fields []*field, t reflect.Type, envPath string) {
	fmt.Fprintf(b, "## %s\n\n", title)
	if doc != "" {
		b.WriteString(doc + "\n\n")
	}
	hasEnv := title == "Top level" || envPath != ""
	b.WriteString("| Key | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, f := range fields {
		if f.kind == kindTable || f.kind == kindTableMap || f.kind == kindTableList {
			continue
		}
		doc := f.doc
		if len(f.enum) > 0 {
			doc += " One of `" + strings.Join(f.enum, "`, `") + "`."
		}
		if hasEnv && f.scalar() {
			doc += " `" + EnvName(joinPath(envPath, f.name)) + "`."
		}
		if f.workspace {
			doc += " *Workspace.*"
		}
		def := ""
		if f.def != "" {
			def = "`" + renderDefault(f, t.FieldByIndex(f.index).Type) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.name, kindNames[f.kind], def, strings.ReplaceAll(doc, "|", `\|`))
	}
	b.WriteString("\n")
}
