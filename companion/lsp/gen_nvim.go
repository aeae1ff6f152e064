package lsp

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// GeneratedClients are the files of the NeoVim and Emacs clients that are made
// from this package, wholly or in a section, by path from the root of the
// repository. Each takes the file as it is and gives it as it should be.
func GeneratedClients() map[string]func(old []byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){
		"editors/nvim/lua/korproxy/commands.lua": luaCommands,
		"editors/nvim/doc/korproxy.txt":          vimHelp,
		"editors/emacs/korproxy.el":              elispCommands,
	}
}

// clientDocuments are the names of the files that NeoVim and Emacs open with
// KorProxy: those of its own.
var clientDocuments = []string{"korproxy.toml", ".korproxy.toml"}

// clientStatuses are what a client shows while no server can tell it anything.
var clientStatuses = []struct {
	name string
	StatusParams
}{
	{"starting", StatusParams{State: Starting, Text: "KorProxy", Severity: Info, Icon: IconBusy, Hover: "KorProxy is starting."}},
	{"restarting", StatusParams{State: Restarting, Text: "KorProxy restarting", Severity: Error, Icon: IconBusy, Hover: "The connection to KorProxy was lost. It is being started again."}},
	{"failed", StatusParams{State: Failed, Text: "KorProxy failed", Severity: Error, Icon: IconError, Hover: "KorProxy keeps ending right after its start. It is tried again from time to time. Run `korproxy doctor` in a terminal to see why."}},
	{"missing", StatusParams{State: Failed, Text: "KorProxy missing", Severity: Error, Icon: IconError, Hover: "The korproxy program was not found. Install it, put it on PATH, or set its path."}},
	{"stopped", StatusParams{State: Stopped, Text: "KorProxy stopped", Severity: Info, Icon: IconOff, Hover: "The editor is not connected to KorProxy."}},
}

// paletteCommands are the commands that editors offer.
func paletteCommands() []CommandInfo {
	var out []CommandInfo
	for _, c := range Commands() {
		if !c.Hidden {
			out = append(out, c)
		}
	}
	return out
}

// shortName is the name of a command where the word KorProxy stands before it: sign-in.
func shortName(id string) string {
	var b strings.Builder
	for _, r := range strings.TrimPrefix(id, "korproxy.") {
		if unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func luaCommands([]byte) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("-- Generated from companion/lsp by 'make generate'.\nreturn {\n  commands = {\n")
	for _, c := range paletteCommands() {
		fmt.Fprintf(&b, "    { id = %q, name = %q, title = %q", c.ID, shortName(c.ID), c.Title)
		if c.Menu != "" {
			fmt.Fprintf(&b, ", menu = %q", c.Menu)
		}
		b.WriteString(" },\n")
	}
	b.WriteString("  },\n  documents = {")
	for i, d := range clientDocuments {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %q", d)
	}
	b.WriteString(" },\n  statuses = {\n")
	for _, s := range clientStatuses {
		fmt.Fprintf(&b, "    %s = { state = %q, text = %q, severity = %q, icon = %q, hover = %q },\n", s.name, s.State, s.Text, s.Severity, s.Icon, s.Hover)
	}
	b.WriteString("  },\n}\n")
	return b.Bytes(), nil
}

// vimHelp writes the section of the commands in the help file.
func vimHelp(old []byte) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range paletteCommands() {
		name := shortName(c.ID)
		tag := "*:KorProxy-" + name + "*"
		fmt.Fprintf(&b, "\n%s%s\n", strings.Repeat(" ", max(1, 78-len(tag))), tag)
		head, args := ":KorProxy "+name, ""
		if c.Args != "" && !strings.HasPrefix(c.Args, "{") { // objects cannot be typed there
			head += " [argument]"
			args = "    Argument: " + c.Args + ".\n"
		}
		fmt.Fprintf(&b, "%s\n    %s.\n%s", head, c.Title, args)
	}
	b.WriteByte('\n')
	return section(old, "*korproxy-subcommands*\n", strings.Repeat("=", 78)+"\n", b.String())
}

// section puts a text between the end of one mark and the start of the next.
func section(old []byte, from, to, text string) ([]byte, error) {
	head, rest, ok := bytes.Cut(old, []byte(from))
	if !ok {
		return nil, fmt.Errorf("there is no %q in it", from)
	}
	i := bytes.Index(rest, []byte(to))
	if i < 0 {
		return nil, fmt.Errorf("there is no %q after %q", to, from)
	}
	return bytes.Join([][]byte{head, []byte(from), []byte(text), rest[i:]}, nil), nil
}
