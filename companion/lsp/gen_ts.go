package lsp

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.lsp.dev/protocol"
)

// spoken are the types an editor's client sends or gets. Those they are made
// of come along.
var spoken = []any{
	ClientCapabilities{},
	StatusParams{},
	MenuParams{},
	Menu{},
	InputParams{},
	InputResult{},
	ChangedParams{},
	ChatModel{},
	ChatParams{},
	ChatProgress{},
	ChatResult{},
	ErrorData{},
	MCPServer{},
	DoctorResult{},
}

// WriteTypeScript writes the protocol's names and types for the VS Code
// extension.
func WriteTypeScript(w io.Writer) error {
	t := &typescript{seen: map[reflect.Type]bool{}}
	fmt.Fprint(&t.out, "// Made from companion/lsp by 'make generate'; do not edit.\n\n")
	fmt.Fprint(&t.out, "export const methods = {\n")
	for _, m := range []string{MethodStatus, MethodMenu, MethodInput, MethodChanged, MethodChat} {
		fmt.Fprintf(&t.out, "  %s: '%s',\n", strings.TrimPrefix(m, "korproxy/"), m)
	}
	fmt.Fprint(&t.out, "} as const;\n\nexport const commands = {\n")
	for _, c := range Commands() {
		fmt.Fprintf(&t.out, "  %s: '%s',\n", strings.TrimPrefix(c.ID, "korproxy."), c.ID)
	}
	fmt.Fprint(&t.out, "} as const;\n")
	for _, v := range spoken {
		t.declare(reflect.TypeOf(v))
	}
	t.statuses()
	if t.err != nil {
		return t.err
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

// statuses writes what a client shows while no server can tell it anything.
func (t *typescript) statuses() {
	t.out.WriteString("\n// What is shown while nothing can be heard from KorProxy.\nexport const statuses = {\n")
	for _, s := range clientStatuses {
		fmt.Fprintf(&t.out, "  %s: {\n    state: '%s',\n    text: '%s',\n    severity: '%s',\n    icon: '%s',\n    hover: '%s',\n  },\n", s.name, s.State, s.Text, s.Severity, s.Icon, s.Hover)
	}
	t.out.WriteString("} as const;\n")
}

type typescript struct {
	out  bytes.Buffer
	seen map[reflect.Type]bool
	err  error
}

// declare writes a struct as an interface, after those it is made of.
func (t *typescript) declare(of reflect.Type) {
	if t.seen[of] {
		return
	}
	t.seen[of] = true
	var b strings.Builder
	fmt.Fprintf(&b, "\nexport interface %s {\n", of.Name())
	for f := range of.Fields() {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if rest == "omitempty" {
			name += "?"
		}
		if doc := f.Tag.Get("doc"); doc != "" {
			fmt.Fprintf(&b, "  /** %s */\n", doc)
		}
		fmt.Fprintf(&b, "  %s: %s;\n", name, t.name(f.Type, rest == "omitempty"))
	}
	t.out.WriteString(b.String() + "}\n")
}

// name is how a type is called, which is declared if need be.
func (t *typescript) name(of reflect.Type, optional bool) string {
	switch of {
	case reflect.TypeFor[State]():
		return t.union(of, States())
	case reflect.TypeFor[Severity]():
		return t.union(of, []Severity{Info, Warning, Error})
	case reflect.TypeFor[Icon]():
		return t.union(of, Icons())
	case reflect.TypeFor[List]():
		return t.union(of, Lists())
	case reflect.TypeFor[*protocol.ProgressToken]():
		return "number | string"
	}
	switch of.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int64:
		return "number"
	case reflect.Interface:
		return "unknown"
	case reflect.Slice:
		return t.name(of.Elem(), false) + "[]"
	case reflect.Map:
		return "Record<string, " + t.name(of.Elem(), false) + ">"
	case reflect.Struct:
		t.declare(of)
		return of.Name()
	case reflect.Pointer:
		if optional {
			return t.name(of.Elem(), false)
		}
		return t.name(of.Elem(), false) + " | null"
	default:
		t.err = fmt.Errorf("TypeScript has no name for %s", of)
		return "unknown"
	}
}

func (t *typescript) union(of reflect.Type, values any) string {
	if !t.seen[of] {
		t.seen[of] = true
		var all []string
		for _, v := range reflect.ValueOf(values).Seq2() {
			all = append(all, "'"+v.String()+"'")
		}
		fmt.Fprintf(&t.out, "\nexport type %s = %s;\n", of.Name(), strings.Join(all, " | "))
	}
	return of.Name()
}
