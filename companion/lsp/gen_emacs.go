package lsp

import (
	"fmt"
	"strings"
)

// elispCommands writes the section of the commands in korproxy.el.
func elispCommands(old []byte) ([]byte, error) {
	var commands, documents, statuses []string
	taken := map[rune]bool{'q': true} // closes the menu
	for _, c := range paletteCommands() {
		entry := fmt.Sprintf("(%s %q %q %q", shortName(c.ID), c.ID, menuKey(shortName(c.ID), taken), c.Title)
		if c.Menu != "" {
			entry += fmt.Sprintf(" %q", c.Menu)
		}
		commands = append(commands, entry+")")
	}
	for _, d := range clientDocuments {
		documents = append(documents, fmt.Sprintf("%q", d))
	}
	for _, s := range clientStatuses {
		statuses = append(statuses, fmt.Sprintf("(%s :state %q :text %q :severity %q :icon %q :hover %q)", s.name, s.State, s.Text, s.Severity, s.Icon, s.Hover))
	}
	text := "(eval-and-compile\n  (defconst korproxy--commands\n    '(" + filled(commands, "\n      ") +
		")\n    \"The commands: name, id, key, title, and the menu of those that have one.\"))\n" +
		"(defconst korproxy--documents '(" + strings.Join(documents, " ") + ") \"The names of its own files.\")\n" +
		"(defconst korproxy--statuses\n  '(" + strings.Join(statuses, "\n    ") + ")\n  \"What is shown while no server can tell anything.\")\n"
	return section(old, ";; The next section is generated from companion/lsp by 'make generate'.\n", ";; The generated section ends here.\n", text)
}

// filled puts as many entries into a line as it takes.
func filled(entries []string, newLine string) string {
	var b strings.Builder
	width := 0
	for i, e := range entries {
		switch {
		case i == 0:
		case width+len(e) > 110:
			b.WriteString(newLine)
			width = 0
		default:
			b.WriteByte(' ')
		}
		b.WriteString(e)
		width += len(e) + 1
	}
	return b.String()
}

// menuKey picks the key of a command: the first letter of its name that no other
// has, else any letter.
func menuKey(name string, taken map[rune]bool) string {
	for _, r := range name + "abcdefghijklmnopqrstuvwxyz" {
		if r != '-' && !taken[r] {
			taken[r] = true
			return string(r)
		}
	}
	return name
}
