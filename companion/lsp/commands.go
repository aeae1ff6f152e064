package lsp

// CommandInfo is a command of workspace/executeCommand. Editors have no others:
// what their palettes and menus show is made from this list.
type CommandInfo struct {
	ID    string
	Title string // for palettes
	Args  string // what it takes, for the reference
	Gives string // what it answers with, for the reference; "" is nothing
	// Menu is what asks for the arguments when the command comes without any. A
	// client that shows menus is answered with a Command of korproxy.menu to run.
	Menu string
	// Hidden commands are for clients, not for palettes.
	Hidden bool
}

// The commands.
const (
	CmdMenu       = "korproxy.menu"
	CmdProfile    = "korproxy.profile"
	CmdModel      = "korproxy.model"
	CmdAccount    = "korproxy.account"
	CmdSignIn     = "korproxy.signIn"
	CmdTest       = "korproxy.test"
	CmdUsage      = "korproxy.usage"
	CmdLogs       = "korproxy.logs"
	CmdDoctor     = "korproxy.doctor"
	CmdSafeMode   = "korproxy.safeMode"
	CmdRestart    = "korproxy.restart"
	CmdConfig     = "korproxy.config"
	CmdStatus     = "korproxy.status"
	CmdModels     = "korproxy.models"
	CmdCount      = "korproxy.countTokens"
	CmdMCPServers = "korproxy.mcpServers"
	CmdOpen       = "korproxy.open"
	CmdDismiss    = "korproxy.dismiss"
)

// Commands lists them all.
func Commands() []CommandInfo {
	return []CommandInfo{
		{ID: CmdMenu, Title: "Show Menu", Args: "the id of a menu; none: main", Menu: "main"},
		{ID: CmdProfile, Title: "Switch Profile", Args: "its name, \"\" for the configured one; none: asks", Menu: "profiles"},
		{ID: CmdModel, Title: "Switch Model", Args: "a target, \"\" for what the profile says; none: asks", Menu: "models"},
		{ID: CmdAccount, Title: "Switch Account", Args: "provider/name, or provider/ to leave it to KorProxy; none: asks", Menu: "accounts"},
		{ID: CmdSignIn, Title: "Sign In or Add a Key", Args: "a provider; none: asks", Menu: "signIn"},
		{ID: CmdTest, Title: "Test Accounts", Args: "a provider, or provider/account; none: all"},
		{ID: CmdUsage, Title: "Show Usage"},
		{ID: CmdLogs, Title: "Show Log"},
		{ID: CmdDoctor, Title: "Run Doctor", Args: "{\"show\": false} only answers; {\"deep\": true} makes real requests", Gives: "DoctorResult"},
		{ID: CmdSafeMode, Title: "Toggle Safe Mode", Args: "true or false; none: the other"},
		{ID: CmdRestart, Title: "Restart KorProxy"},
		{ID: CmdConfig, Title: "Open Configuration", Args: "a key, as profiles.work.target; none: the file"},
		{ID: CmdStatus, Title: "Show Status", Args: "anything: only answers", Gives: "StatusParams"},
		{ID: CmdModels, Title: "List Models", Gives: "ChatModel[]", Hidden: true},
		{ID: CmdCount, Title: "Count Tokens", Args: "a model, a text", Gives: "number", Hidden: true},
		{ID: CmdMCPServers, Title: "List MCP Servers", Gives: "MCPServer[]", Hidden: true},
		{ID: CmdOpen, Title: "Open", Args: "a URI, and where the editor should open it: a line from 1, 0 for none", Hidden: true},
		{ID: CmdDismiss, Title: "Dismiss", Args: "the code and the subject of a problem", Hidden: true},
	}
}

// MCPServer is a server of the Model Context Protocol that an editor may start.
type MCPServer struct {
	Label   string            `json:"label"`
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env,omitempty"`
	Version string            `json:"version,omitempty"`
}

// DoctorResult is what korproxy.doctor and 'korproxy doctor --json' answer.
type DoctorResult struct {
	OK     bool          `json:"ok" doc:"No check failed."`
	Deep   bool          `json:"deep"`
	Checks []DoctorCheck `json:"checks"`
}

// DoctorCheck is one check.
type DoctorCheck struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Result  string   `json:"result" doc:"ok, warning, failed or skipped."`
	Message string   `json:"message" doc:"What was found."`
	Code    string   `json:"code,omitempty" doc:"KP-AREA-NNN, where it did not pass."`
	Fix     string   `json:"fix,omitempty" doc:"What the user can do."`
	Run     string   `json:"run,omitempty" doc:"A command line that mends it, or leads there."`
	Command *Command `json:"command,omitempty" doc:"The same in an editor."`
	Link    string   `json:"link,omitempty" doc:"Where the code is explained."`
}

// Setting is a setting of an editor's extension. All others stand in
// korproxy.toml.
type Setting struct {
	Name, Type, What string
	Default          any
	Enum             []string
	// Machine settings do not roam with a synchronised profile, and no workspace sets them.
	Machine bool
}

// Settings lists them.
func Settings() []Setting {
	return []Setting{
		{Name: "path", Type: "string", Default: "", Machine: true, What: "The korproxy program. Empty: the one that came with the extension, else the one on PATH."},
		{Name: "home", Type: "string", Default: "", Machine: true, What: "KORPROXY_HOME of the program: a folder for configuration, state and secrets of a second installation. Empty: the usual places."},
		{Name: "trace.server", Type: "string", Default: "off", Enum: []string{"off", "messages", "verbose"}, What: "Writes what the editor and KorProxy say to each other to the output channel."},
	}
}
