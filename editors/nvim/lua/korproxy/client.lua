-- The one connection of this NeoVim, and what is shown of it.
local M = {}

local generated = require("korproxy.commands")
local new = vim.fn.has("nvim-0.11") == 1

M.options = {
  path = "korproxy",
  home = nil, -- KORPROXY_HOME of the program
  autostart = true,
  hints = true, -- code lens and inlay hints
  icons = { ok = "●", busy = "◌", warning = "▲", error = "✖", limit = "◔", key = "◇", safe = "◆", off = "○" },
}

local groups = { info = "StatusLine", warning = "DiagnosticWarn", error = "DiagnosticError" }
local id, ready, since ---@type integer?, vim.lsp.Client?, integer
local wanted, failures = false, 0

local function show(status)
  M.status = status
  local text = (M.options.icons[status.icon] or "") .. " " .. status.text
  M.line = { plain = text, coloured = "%#" .. groups[status.severity] .. "#" .. text:gsub("%%", "%%%%") .. "%*" }
  vim.schedule(function()
    vim.api.nvim_exec_autocmds("User", { pattern = "KorProxyStatus", modeline = false, data = status })
    vim.cmd.redrawstatus({ bang = true })
  end)
end

--- Whether a buffer is one of the files of KorProxy itself.
function M.owns(buf)
  local name = vim.fs.basename(vim.api.nvim_buf_get_name(buf))
  return vim.bo[buf].buftype == "" and vim.list_contains(generated.documents, name)
end

local function attach(buf)
  if ready and vim.api.nvim_buf_is_loaded(buf) and M.owns(buf) then
    vim.lsp.buf_attach_client(buf, ready.id)
  end
end

local function on_init(client)
  id, ready = client.id, client
  vim.tbl_map(attach, vim.api.nvim_list_bufs())
end

local function on_exit(_, _, exited)
  if exited ~= id or vim.v.exiting ~= vim.NIL then
    return
  end
  id, ready = nil, nil
  if not wanted then
    return show(generated.statuses.stopped)
  end
  failures = vim.uv.now() - since > 10000 and 1 or failures + 1
  show(failures > 5 and generated.statuses.failed or generated.statuses.restarting)
  vim.defer_fn(function()
    if wanted then
      M.start()
    end
  end, math.min(50 * 2 ^ failures, 30000))
end

local function spawn(dispatchers)
  local ended = dispatchers.on_exit
  -- NeoVim would put a message over what the user does; the status tells it already.
  dispatchers = vim.tbl_extend("force", dispatchers, {
    on_exit = function()
      ended(0, 0)
    end,
  })
  return vim.lsp.rpc.start({ M.options.path, "lsp" }, dispatchers, { env = { KORPROXY_HOME = M.options.home } })
end

--- The configuration for vim.lsp.start.
function M.config()
  local capabilities = vim.lsp.protocol.make_client_capabilities()
  capabilities.experimental = { korproxy = { status = true, menu = true, input = true } }
  return {
    name = "korproxy",
    cmd = spawn,
    root_dir = vim.fn.getcwd(),
    capabilities = capabilities,
    reuse_client = function(client)
      return client.name == "korproxy"
    end,
    handlers = {
      ["korproxy/status"] = function(_, status)
        show(status)
      end,
      ["window/showMessage"] = function(_, message)
        vim.notify(message.message, vim.log.levels.OFF - message.type)
      end,
      -- vim.ui.select has no way to change what it shows, and what was typed must not be lost.
      ["korproxy/changed"] = function() end,
      ["window/showDocument"] = function(...)
        local answer = vim.lsp.handlers["window/showDocument"](...)
        vim.cmd.checktime() -- it may be open with an older text
        return answer
      end,
      ["korproxy/input"] = function(_, params)
        return require("korproxy.ui").input(params)
      end,
    },
    commands = { ["korproxy.menu"] = M.execute },
    on_init = on_init,
    on_exit = vim.schedule_wrap(on_exit),
    on_attach = function(_, buf)
      if M.options.hints then
        vim.lsp.inlay_hint.enable(true, { bufnr = buf })
        if vim.lsp.codelens.enable then
          vim.lsp.codelens.enable(true, { bufnr = buf })
        end
      end
    end,
  }
end

--- Starts the connection, or leaves it as it is.
function M.start()
  wanted = true
  if id then
    return
  elseif vim.fn.executable(M.options.path) == 0 then
    return show(generated.statuses.missing)
  elseif failures == 0 then
    show(generated.statuses.starting)
  end
  vim.api.nvim_create_autocmd({ "BufReadPost", "BufNewFile", "BufFilePost" }, {
    group = vim.api.nvim_create_augroup("korproxy", {}),
    callback = function(event)
      attach(event.buf)
    end,
  })
  since = vim.uv.now()
  local config = M.config()
  id = (new and vim.lsp.start or vim.lsp.start_client)(config, { attach = false, reuse_client = config.reuse_client })
end

-- Before NeoVim 0.11 the methods of a client are plain functions.
local function call(client, name, ...)
  return new and client[name](client, ...) or not new and client[name](...)
end

--- Ends the connection, or lets it begin again.
function M.stop(again)
  wanted = again == true
  if ready then
    call(ready, "stop", true)
  end
end

--- Sends a request once there is a connection.
function M.request(method, params, done)
  M.start()
  vim.wait(5000, function()
    return ready ~= nil or not id
  end, 10)
  if not ready then
    return vim.notify(M.status.hover, vim.log.levels.ERROR)
  end
  call(ready, "request", method, params, function(err, result)
    if err then
      vim.notify(err.message, vim.log.levels.ERROR)
    else
      done(result)
    end
  end)
end

--- Does what an item of a menu, a code lens or a code action names.
function M.execute(command)
  if command.command == "korproxy.menu" then
    return require("korproxy.ui").menu(command.arguments and command.arguments[1] or "main")
  end
  local params = { command = command.command, arguments = command.arguments }
  M.request("workspace/executeCommand", params, function(result)
    if type(result) == "table" and result.command == "korproxy.menu" then
      M.execute(result)
    elseif type(result) == "table" and result.hover then
      vim.lsp.util.open_floating_preview(vim.split(result.hover, "\n"), "markdown", { focus_id = "korproxy" })
    end
  end)
end

show(generated.statuses.stopped)
return M
