package lsp

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratedFilesAreUpToDate(t *testing.T) {
	for path, write := range Generated() {
		t.Run(path, func(t *testing.T) {
			got, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(path)))
			if err != nil {
				t.Fatal(err)
			}
			want, err := write(got)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is out of date: run 'make generate'", path)
			}
		})
	}
}

func TestThePackageKeepsWhatIsNotGenerated(t *testing.T) {
	old := "{\n\t\"name\": \"x\",  \"contributes\" : {\"menus\":{ }, \"commands\": [1,\n2], \"configuration\":{}}\n}\n\n"
	got, err := WritePackageJSON([]byte(old))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(got), "[\n")
	_, tail, _ := strings.Cut(rest, "]")
	middle, _, _ := strings.Cut(tail, "{")
	if head != "{\n\t\"name\": \"x\",  \"contributes\" : {\"menus\":{ }, \"commands\": " || middle != ", \"configuration\":" || !strings.HasSuffix(tail, "}}\n}\n\n") {
		t.Errorf("got\n%s", got)
	}
	again, err := WritePackageJSON(got)
	if err != nil || !bytes.Equal(again, got) {
		t.Errorf("the second time (%v) it becomes\n%s", err, again)
	}
	for _, bad := range []string{"", "{}", `{"contributes":{"commands":[]}}`, `{"contributes":{"commands":[],"commands":[],"configuration":{}}}`} {
		if out, err := WritePackageJSON([]byte(bad)); err == nil {
			t.Errorf("%s gives %s", bad, out)
		}
	}
}

func TestTheEditorSeesWhatTheProtocolHas(t *testing.T) {
	var b bytes.Buffer
	if err := WriteTypeScript(&b); err != nil {
		t.Fatal(err)
	}
	ts := b.String()
	for _, want := range []string{
		"chat: 'korproxy/chat',", "signIn: 'korproxy.signIn',", "dismiss: 'korproxy.dismiss',",
		"export type State = 'starting' | 'ready' |", "state: State;", "command?: Command;", "value: string | null;",
		"partialResultToken?: number | string;", "items: MenuItem[];", "env?: Record<string, string>;", "input?: unknown;",
		"  /** Beside the label. */\n  description?: string;",
	} {
		if !strings.Contains(ts, want) {
			t.Errorf("lacks %s", want)
		}
	}
	for _, name := range []string{"Menu", "ChatPart", "Command", "Icon"} {
		if n := strings.Count(ts, " "+name+" {") + strings.Count(ts, "type "+name+" ="); n != 1 {
			t.Errorf("%s is declared %d times", name, n)
		}
	}
}
