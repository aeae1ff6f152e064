package companion

import (
	"encoding/json"

	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/fault"
)

// What a forwarder does while no daemon can be had: it says why, shows the log,
// and tries again when it is told to.

func menuCommand(id string) *lsp.Command {
	return &lsp.Command{Title: "KorProxy", Command: lsp.CmdMenu, Arguments: []any{id}}
}

var (
	startIt = lsp.Command{Title: "Start KorProxy", Command: lsp.CmdRestart}
	openLog = lsp.Command{Title: "Open log", Command: lsp.CmdLogs}
)

// complain is one message with what can be done. The caller holds mu.
func (f *Forwarder) complain(e *fault.Error) {
	f.next++
	// Nobody waits for the answer: to a daemon that is not there it is for the
	// forwarder, which hears of it by the command. Editors that keep no commands
	// in messages have them in their palettes.
	f.notify("window/showMessage", map[string]any{
		"type": 1, "message": string(e.Code) + ": " + e.Text() + ". " + lines(f.Tail(), 3) + "The log is one command away: " + lsp.CmdLogs + ".",
	})
}

// lines gives the last lines of a text as a sentence, or nothing.
func lines(text string, n int) string {
	at := len(text)
	for at > 0 && n > 0 {
		at--
		if text[at] == '\n' && at < len(text)-1 {
			n--
		}
	}
	if text = trimmed(text[at:]); text == "" {
		return ""
	}
	return "It wrote last: " + text + "\n"
}

func trimmed(s string) string {
	for s != "" && (s[0] == '\n' || s[0] == ' ') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == '\n' || s[len(s)-1] == ' ') {
		s = s[:len(s)-1]
	}
	return s
}

// headline says in a few words why there is no daemon. The caller holds mu.
func (f *Forwarder) headline() string {
	if f.stopped {
		return "KorProxy is stopped"
	}
	return "KorProxy does not start"
}

// alone answers a request without a daemon. The caller holds mu.
func (f *Forwarder) alone(m envelope) {
	switch m.Method {
	case lsp.MethodMenu:
		f.reply(m.ID, lsp.Menu{ID: "main", Title: f.headline(), Items: []lsp.MenuItem{
			{Label: startIt.Title, Icon: lsp.IconRestart, Command: &startIt},
			{Label: openLog.Title, Icon: lsp.IconLog, Description: f.LogFile, Command: &openLog},
		}})
	case "workspace/executeCommand":
		f.aloneCommand(m)
	case lsp.MethodDiagnostic:
		f.reply(m.ID, lsp.DiagnosticReport{Kind: "full", Items: nil})
	default:
		if len(m.Method) > 13 && m.Method[:13] == "textDocument/" {
			f.reply(m.ID, nil) // nothing is known of the document; an error for each key would not help
			return
		}
		f.refuseAlone(m.ID)
	}
}

func (f *Forwarder) aloneCommand(m envelope) {
	var p struct {
		Command string `json:"command"`
	}
	_ = json.Unmarshal(m.Params, &p) // a command that cannot be read is none of these
	switch p.Command {
	case lsp.CmdRestart:
		select {
		case f.again <- struct{}{}:
		default:
		}
		f.reply(m.ID, nil)
	case lsp.CmdLogs:
		f.next++
		f.asked[f.next] = question{}
		f.sendQuestion("window/showDocument", map[string]any{"uri": lsp.FileURI(f.LogFile), "takeFocus": true})
		f.reply(m.ID, nil)
	case lsp.CmdMenu:
		f.notify("window/showMessage", map[string]any{"type": 1, "message": f.headline() + ". Run " + lsp.CmdRestart + " to start it, " + lsp.CmdLogs + " to see its log."})
		f.reply(m.ID, nil)
	default:
		f.refuseAlone(m.ID)
	}
}

// sendQuestion asks the editor something whose answer does not matter; its id is f.next.
func (f *Forwarder) sendQuestion(method string, params any) {
	b, err := json.Marshal(params)
	if err != nil {
		return
	}
	id, err := json.Marshal(f.next)
	if err == nil {
		f.send(envelope{ID: id, Method: method, Params: b})
	}
}

func (f *Forwarder) refuseAlone(id json.RawMessage) {
	e := fault.As(f.failed)
	f.refuse(id, lsp.CodeRequestFailed, f.headline()+": "+e.Text(), lsp.ErrorData{Code: string(e.Code), Fix: e.Fix(), Retry: true})
}

// serverStatus is a status in rust-analyzer's form.
func serverStatus(s lsp.StatusParams) lsp.ServerStatus {
	health := map[lsp.Severity]string{lsp.Info: "ok", lsp.Warning: "warning", lsp.Error: "error"}[s.Severity]
	return lsp.ServerStatus{Health: health, Quiescent: s.State != lsp.Starting && s.State != lsp.Restarting, Message: s.Text}
}
