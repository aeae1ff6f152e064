package lsp

import (
	"fmt"
	"io"
	"reflect"
	"strings"
)

// WriteReference writes the page of the protocol: what an editor's client has to
// do, and the shapes.
func WriteReference(w io.Writer) error {
	b := &strings.Builder{}
	b.WriteString(protocolIntro)
	b.WriteString("\n## Methods\n\n| Method | Direction | Parameters | Answer |\n|---|---|---|---|\n")
	for _, m := range []struct{ name, direction, params, answer string }{
		{MethodStatus, "notification to the editor", "StatusParams", ""},
		{MethodMenu, "request to the daemon", "MenuParams", "Menu"},
		{MethodInput, "request to the editor", "InputParams", "InputResult"},
		{MethodChanged, "notification to the editor", "ChangedParams", ""},
		{MethodChat, "request to the daemon", "ChatParams", "ChatResult; ChatProgress by $/progress"},
	} {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", m.name, m.direction, m.params, m.answer)
	}
	b.WriteString("\n## Commands\n\nEach is a command of `workspace/executeCommand`. Where one needs a choice and comes without it, a client that shows menus is answered with a `korproxy.menu` command to run; others are asked by `window/showMessageRequest`.\n\n| Command | Title | Arguments | Answer |\n|---|---|---|---|\n")
	for _, c := range Commands() {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", c.ID, c.Title, c.Args, c.Gives)
	}
	fmt.Fprintf(b, "\n## Words\n\n- States: %s\n- Severities: info, warning, error\n- Icons: %s\n- Lists: %s\n", words(States()), words(Icons()), words(Lists()))
	b.WriteString("\n## Shapes\n")
	seen := map[reflect.Type]bool{}
	for _, v := range spoken {
		shape(b, reflect.TypeOf(v), seen)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const protocolIntro = `# The protocol between editors and KorProxy

An editor starts ` + "`korproxy lsp`" + ` and speaks the Language Server Protocol (3.17) with it on standard input and output. Beside that there are five methods of KorProxy's own, and none of them is needed: what a client does not say it can do is done with plain LSP.

A client says what it does in ` + "`initialize.capabilities.experimental.korproxy`" + ` (ClientCapabilities). Every text a user reads comes from KorProxy. Positions are UTF-8 where the client offers that, else UTF-16.

The process that the editor starts relays to one daemon for all editors. When the daemon dies it is started again, and told of the editor and its documents as they are; requests that were under way are answered with an error whose data says ` + "`retry`" + ` (ErrorData). The status is ` + "`restarting`" + ` meanwhile.

Editors that know ` + "`experimental/serverStatus`" + ` of rust-analyzer get that, too.
`

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = "`" + string(w) + "`"
	}
	return strings.Join(out, " ")
}

// shape writes a struct as a table, before those it is made of.
func shape(b *strings.Builder, of reflect.Type, seen map[reflect.Type]bool) {
	if seen[of] {
		return
	}
	seen[of] = true
	fmt.Fprintf(b, "\n### %s\n\n| Field | Type | |\n|---|---|---|\n", of.Name())
	var inner []reflect.Type
	for f := range of.Fields() {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if rest == "omitempty" {
			name += "?"
		}
		text, parts := shapeName(f.Type)
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, text, strings.ReplaceAll(f.Tag.Get("doc"), "|", `\|`))
		inner = append(inner, parts...)
	}
	for _, t := range inner {
		shape(b, t, seen)
	}
}

// shapeName is a type as the page names it, with the structs it is made of.
func shapeName(t reflect.Type) (string, []reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		return shapeName(t.Elem())
	case reflect.Slice:
		name, parts := shapeName(t.Elem())
		return name + "[]", parts
	case reflect.Map:
		name, parts := shapeName(t.Elem())
		return "object of " + name, parts
	case reflect.Struct:
		if t.PkgPath() != reflect.TypeFor[Menu]().PkgPath() {
			return "number or string", nil // a progress token
		}
		return t.Name(), []reflect.Type{t}
	case reflect.Bool:
		return "boolean", nil
	case reflect.String:
		return "string", nil
	case reflect.Interface:
		return "any", nil
	}
	return "number", nil
}
