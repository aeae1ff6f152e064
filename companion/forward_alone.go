package companion

import (
	"encoding/json"
	"strconv"
	"strings"

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
	text := string(e.Code) + ": " + strings.TrimRight(e.Text(), ". \n")
	if e.Code == fault.StartFailed && !strings.Contains(text, "\n") { // another code says what it is
		if last := lastLine(f.Tail()); last != "" {
			text += ". The log ends with: " + last
		}
	}
	f.question("window/showMessageRequest", map[string]any{
		"type": 1, "message": text, "actions": []map[string]string{{"title": startIt.Title}, {"title": openLog.Title}},
	}, func(title string) {
		switch title {
		case startIt.Title:
			f.tryNow()
		case openLog.Title:
			f.showLog()
		}
	})
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

func (f *Forwarder) tryNow() {
	select {
	case f.again <- struct{}{}:
	default:
	}
}

// showLog opens the log. The caller holds mu.
func (f *Forwarder) showLog() {
	f.question("window/showDocument", map[string]any{"uri": lsp.FileURI(f.LogFile), "takeFocus": true}, func(string) {})
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
		// Those that are shown may still be right.
		f.refuse(m.ID, lsp.CodeServerCancelled, f.headline(), map[string]bool{"retriggerRequest": false})
	default:
		if strings.HasPrefix(m.Method, "textDocument/") {
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
		f.tryNow()
		f.reply(m.ID, nil)
	case lsp.CmdLogs:
		f.showLog()
		f.reply(m.ID, nil)
	case lsp.CmdMenu:
		f.notify("window/showMessage", map[string]any{"type": 1, "message": f.headline() + ". Run " + lsp.CmdRestart + " to start it, " + lsp.CmdLogs + " to see its log."})
		f.reply(m.ID, nil)
	default:
		f.refuseAlone(m.ID)
	}
}

// question asks the editor something of the forwarder's own. The caller holds mu,
// and so does who calls chosen.
func (f *Forwarder) question(method string, params any, chosen func(title string)) {
	b, err := json.Marshal(params)
	if err != nil {
		return
	}
	f.next++
	f.asked[f.next] = question{chosen: chosen}
	f.send(envelope{ID: strconv.AppendInt(nil, f.next, 10), Method: method, Params: b})
}

func (f *Forwarder) refuseAlone(id json.RawMessage) {
	e := fault.As(f.failed)
	why := ": " + e.Text()
	if f.stopped {
		why = ""
	}
	f.refuse(id, lsp.CodeRequestFailed, f.headline()+why, lsp.ErrorData{Code: string(e.Code), Fix: e.Fix(), Retry: true})
}

// serverStatus is a status in rust-analyzer's form.
func serverStatus(s lsp.StatusParams) lsp.ServerStatus {
	health := map[lsp.Severity]string{lsp.Info: "ok", lsp.Warning: "warning", lsp.Error: "error"}[s.Severity]
	return lsp.ServerStatus{Health: health, Quiescent: s.State != lsp.Starting && s.State != lsp.Restarting, Message: s.Text}
}
