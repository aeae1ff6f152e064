-- Generated from companion/lsp by 'make generate'.
return {
  commands = {
    { id = "korproxy.menu", name = "menu", title = "Show Menu", menu = "main" },
    { id = "korproxy.profile", name = "profile", title = "Switch Profile", menu = "profiles" },
    { id = "korproxy.model", name = "model", title = "Switch Model", menu = "models" },
    { id = "korproxy.account", name = "account", title = "Switch Account", menu = "accounts" },
    { id = "korproxy.signIn", name = "sign-in", title = "Sign In or Add a Key", menu = "signIn" },
    { id = "korproxy.test", name = "test", title = "Test Accounts" },
    { id = "korproxy.usage", name = "usage", title = "Show Usage" },
    { id = "korproxy.logs", name = "logs", title = "Show Log" },
    { id = "korproxy.doctor", name = "doctor", title = "Run Doctor" },
    { id = "korproxy.safeMode", name = "safe-mode", title = "Toggle Safe Mode" },
    { id = "korproxy.restart", name = "restart", title = "Restart KorProxy" },
    { id = "korproxy.config", name = "config", title = "Open Configuration" },
    { id = "korproxy.status", name = "status", title = "Show Status" },
  },
  documents = { "korproxy.toml", ".korproxy.toml" },
  statuses = {
    starting = { state = "starting", text = "KorProxy", severity = "info", icon = "busy", hover = "KorProxy is starting." },
    restarting = { state = "restarting", text = "KorProxy restarting", severity = "error", icon = "busy", hover = "The connection to KorProxy was lost. It is being started again." },
    failed = { state = "failed", text = "KorProxy failed", severity = "error", icon = "error", hover = "KorProxy keeps ending right after its start. It is tried again from time to time. Run `korproxy doctor` in a terminal to see why." },
    missing = { state = "failed", text = "KorProxy missing", severity = "error", icon = "error", hover = "The korproxy program was not found. Install it, put it on PATH, or set its path." },
    stopped = { state = "stopped", text = "KorProxy stopped", severity = "info", icon = "off", hover = "The editor is not connected to KorProxy." },
  },
}
