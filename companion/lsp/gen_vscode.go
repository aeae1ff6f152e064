package lsp

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/korproxy/korproxy/internal/jsondoc"
)

// Generated are the files of editor clients that are made from this package,
// by their path below the root of the repository. Each is told what stands
// there now, as some keep a part of it.
func Generated() map[string]func(old []byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){
		"editors/vscode/package.json": WritePackageJSON,
		"editors/vscode/src/protocol.ts": func([]byte) ([]byte, error) {
			var b bytes.Buffer
			err := WriteTypeScript(&b)
			return b.Bytes(), err
		},
	}
}

// WritePackageJSON puts the commands and the settings into the manifest of the
// VS Code extension, and leaves everything else in it as it is.
func WritePackageJSON(old []byte) ([]byte, error) {
	doc, err := jsondoc.Parse(old)
	if err != nil {
		return nil, err
	}
	var edits []jsondoc.Edit
	for key, v := range doc.Root().Get("contributes").Fields() {
		var with any
		switch string(key) {
		case "commands":
			with = vscodeCommands()
		case "configuration":
			with = vscodeConfiguration()
		default:
			continue
		}
		text, err := indented(with)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		edits = append(edits, jsondoc.Edit{Start: v.Offset(), End: v.Offset() + len(v.Raw()), With: text})
	}
	if len(edits) != 2 {
		return nil, fmt.Errorf("contributes must have the members commands and configuration once each, and has %d of them", len(edits))
	}
	return jsondoc.Splice(old, edits...), nil
}

type vscodeCommand struct {
	Command  string `json:"command"`
	Title    string `json:"title"`
	Category string `json:"category"`
}

func vscodeCommands() []vscodeCommand {
	var list []vscodeCommand
	for _, c := range Commands() {
		if !c.Hidden {
			list = append(list, vscodeCommand{Command: c.ID, Title: c.Title, Category: "KorProxy"})
		}
	}
	return list
}

type vscodeSettings struct {
	Title      string                   `json:"title"`
	Properties map[string]vscodeSetting `json:"properties"`
}

type vscodeSetting struct {
	Type        string   `json:"type"`
	Default     any      `json:"default"`
	Enum        []string `json:"enum,omitempty"`
	Scope       string   `json:"scope"`
	Order       int      `json:"order"` // JSON objects have none
	Description string   `json:"description"`
}

func vscodeConfiguration() vscodeSettings {
	all := vscodeSettings{Title: "KorProxy", Properties: map[string]vscodeSetting{}}
	for i, s := range Settings() {
		scope := "window"
		if s.Machine {
			scope = "machine"
		}
		all.Properties["korproxy."+s.Name] = vscodeSetting{s.Type, s.Default, s.Enum, scope, i, s.What}
	}
	return all
}

// indented writes v as it stands two levels deep in a manifest.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
