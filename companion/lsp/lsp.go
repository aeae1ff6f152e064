// Package lsp is what editors and KorProxy say to each other: the framing of
// JSON-RPC messages, the parts of LSP 3.17 and 3.18 that go.lsp.dev/protocol
// lacks, and the five methods of our own. The protocol's reference and the
// types of the editor clients are generated from it.
package lsp

import "go.lsp.dev/protocol"

// The methods of our own. There are no others without a decision record.
const (
	MethodStatus  = "korproxy/status"  // notification to the editor: StatusParams
	MethodMenu    = "korproxy/menu"    // request to the daemon: MenuParams, Menu
	MethodInput   = "korproxy/input"   // request to the editor: InputParams, InputResult
	MethodChanged = "korproxy/changed" // notification to the editor: ChangedParams
	MethodChat    = "korproxy/chat"    // request to the daemon: ChatParams, ChatResult; ChatProgress by $/progress
)

// ClientCapabilities is what an editor's client says in
// initialize.capabilities.experimental.korproxy. What it leaves out is done
// with the means of plain LSP.
type ClientCapabilities struct {
	Status bool `json:"status,omitempty" doc:"Renders korproxy/status."`
	Menu   bool `json:"menu,omitempty" doc:"Shows menus itself when a command is korproxy.menu; else they come as window/showMessageRequest."`
	Input  bool `json:"input,omitempty" doc:"Answers korproxy/input."`
	Chat   bool `json:"chat,omitempty" doc:"Uses korproxy/chat, and wants korproxy/changed for models."`
}

// State is the state of KorProxy as an editor shows it.
type State string

// The states.
const (
	Starting   State = "starting"
	Ready      State = "ready"
	Degraded   State = "degraded"   // works, but something wants mending
	Limited    State = "limited"    // a limit is reached; requests wait or go elsewhere
	SignedOut  State = "signed-out" // no account can be used until a person signs in
	Stopped    State = "stopped"
	Failed     State = "failed"
	Restarting State = "restarting"
)

// States lists them all.
func States() []State {
	return []State{Starting, Ready, Degraded, Limited, SignedOut, Stopped, Failed, Restarting}
}

// Severity says how a status is to be painted.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// Icon names a picture; each client has its own for it.
type Icon string

// The icons.
const (
	IconOK      Icon = "ok"
	IconBusy    Icon = "busy"
	IconWarning Icon = "warning"
	IconError   Icon = "error"
	IconLimit   Icon = "limit"
	IconKey     Icon = "key"
	IconOff     Icon = "off"
	IconProfile Icon = "profile"
	IconModel   Icon = "model"
	IconAccount Icon = "account"
	IconTest    Icon = "test"
	IconUsage   Icon = "usage"
	IconLog     Icon = "log"
	IconDoctor  Icon = "doctor"
	IconSafe    Icon = "safe"
	IconRestart Icon = "restart"
	IconConfig  Icon = "config"
	IconAdd     Icon = "add"
)

// Icons lists them all.
func Icons() []Icon {
	return []Icon{
		IconOK, IconBusy, IconWarning, IconError, IconLimit, IconKey, IconOff, IconProfile, IconModel, IconAccount, IconTest,
		IconUsage, IconLog, IconDoctor, IconSafe, IconRestart, IconConfig, IconAdd,
	}
}

// Command is an LSP command. The client hands it to workspace/executeCommand
// as it is, but for korproxy.menu, which it may serve itself.
type Command struct {
	Title     string `json:"title"`
	Command   string `json:"command"`
	Arguments []any  `json:"arguments,omitempty"`
}

// StatusParams is what the status item shows.
type StatusParams struct {
	State    State    `json:"state"`
	Text     string   `json:"text" doc:"Short, for the status item."`
	Severity Severity `json:"severity"`
	Icon     Icon     `json:"icon"`
	Hover    string   `json:"hover" doc:"Markdown, for the item's tooltip."`
	Command  *Command `json:"command,omitempty" doc:"What a click does."`
}

// MenuParams asks for a menu.
type MenuParams struct {
	ID string `json:"id" doc:"The menu; main is the first one."`
}

// Menu is what a picker shows. Open pickers ask for it again at korproxy/changed.
type Menu struct {
	ID          string     `json:"id"`
	Title       string     `json:"title"`
	Placeholder string     `json:"placeholder,omitempty"`
	Items       []MenuItem `json:"items"`
}

// MenuItem is one line of a menu. It has a command, a submenu, or neither; then
// it only tells something.
type MenuItem struct {
	Label       string   `json:"label"`
	Description string   `json:"description,omitempty" doc:"Beside the label."`
	Detail      string   `json:"detail,omitempty" doc:"Below it."`
	Icon        Icon     `json:"icon,omitempty"`
	Checked     bool     `json:"checked,omitempty" doc:"The one in use."`
	Separator   bool     `json:"separator,omitempty" doc:"The label heads the items that follow."`
	Command     *Command `json:"command,omitempty"`
	Menu        string   `json:"menu,omitempty" doc:"The id of a submenu."`
}

// InputParams asks the user for a line of text.
type InputParams struct {
	Title        string `json:"title"`
	Prompt       string `json:"prompt"`
	Placeholder  string `json:"placeholder,omitempty"`
	Value        string `json:"value,omitempty" doc:"What stands there at first."`
	Secret       bool   `json:"secret,omitempty" doc:"Show it as dots, keep it in no history."`
	Pattern      string `json:"pattern,omitempty" doc:"A regular expression all of the text has to match. It is simple enough to mean the same in every editor."`
	PatternError string `json:"patternError,omitempty" doc:"What to say of text that does not match."`
}

// InputResult is the answer; no value means that the user gave up.
type InputResult struct {
	Value *string `json:"value"`
}

// List names something that changed.
type List string

// The lists.
const (
	ListMenus  List = "menus"
	ListModels List = "models"
	ListTools  List = "tools"
)

// Lists lists them all.
func Lists() []List { return []List{ListMenus, ListModels, ListTools} }

// ChangedParams says which lists are to be asked for again.
type ChangedParams struct {
	Lists []List `json:"lists"`
}

// ChatModel is a model an editor may offer in its own chat. The command
// korproxy.models answers with a list of them.
type ChatModel struct {
	ID        string `json:"id" doc:"For ChatParams.model."`
	Name      string `json:"name"`
	Family    string `json:"family"`
	Detail    string `json:"detail,omitempty" doc:"A word or two beside the name."`
	Tooltip   string `json:"tooltip,omitempty"`
	MaxInput  int64  `json:"maxInputTokens"`
	MaxOutput int64  `json:"maxOutputTokens"`
	Images    bool   `json:"imageInput"`
	Tools     bool   `json:"toolCalling"`
}

// ChatParams is a request to a model. Parts of the answer come as $/progress
// with the token given as partialResultToken; $/cancelRequest ends it.
type ChatParams struct {
	Model      string                  `json:"model"`
	Messages   []ChatMessage           `json:"messages"`
	Tools      []ChatTool              `json:"tools,omitempty"`
	ToolChoice string                  `json:"toolChoice,omitempty" doc:"auto, required or none; empty is auto."`
	MaxTokens  int64                   `json:"maxTokens,omitempty"`
	Token      *protocol.ProgressToken `json:"partialResultToken,omitempty"`
}

// ChatMessage is one turn.
type ChatMessage struct {
	Role  string     `json:"role" doc:"system, user or assistant."`
	Parts []ChatPart `json:"parts"`
}

// ChatPart is one part of a turn, or of an answer.
type ChatPart struct {
	Type  string     `json:"type" doc:"text, image, reasoning, toolCall or toolResult."`
	Text  string     `json:"text,omitempty" doc:"Of text and reasoning."`
	MIME  string     `json:"mimeType,omitempty" doc:"Of an image."`
	Data  string     `json:"data,omitempty" doc:"Of an image: base64."`
	ID    string     `json:"id,omitempty" doc:"Of a tool call, and of its result."`
	Name  string     `json:"name,omitempty" doc:"Of a tool call."`
	Input any        `json:"input,omitempty" doc:"Of a tool call: an object."`
	Parts []ChatPart `json:"parts,omitempty" doc:"Of a tool result."`
	Error bool       `json:"isError,omitempty" doc:"Of a tool result."`
}

// ChatTool is a tool the model may call.
type ChatTool struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Schema      any    `json:"inputSchema,omitempty" doc:"JSON Schema of the input."`
}

// ChatProgress is the value of $/progress.
type ChatProgress struct {
	Parts []ChatPart `json:"parts"`
}

// ChatResult is the answer of korproxy/chat, once all parts were sent.
type ChatResult struct {
	Model  string `json:"model" doc:"Which answered, as provider/model."`
	Stop   string `json:"stop" doc:"Why it ended: stop, length, tool_calls, content_filter."`
	Input  int64  `json:"inputTokens,omitempty"`
	Output int64  `json:"outputTokens,omitempty"`
}

// ErrorData is the data of an error response.
type ErrorData struct {
	Code  string `json:"code" doc:"KP-AREA-NNN."`
	Fix   string `json:"fix,omitempty" doc:"What the user can do."`
	Retry bool   `json:"retry,omitempty" doc:"The same request may be sent again."`
}
