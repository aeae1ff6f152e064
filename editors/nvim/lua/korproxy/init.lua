local M = {}

local client = require("korproxy.client")
local commands = require("korproxy.commands").commands

--- Not needed unless something is to be as it is not by default.
function M.setup(opts)
  client.options = vim.tbl_deep_extend("force", client.options, opts or {})
  client.stop(true)
end

M.start = client.start
M.stop = client.stop

--- What the status line shows. It costs nothing: the text is made when the status changes.
---@param highlight? boolean for %{%...%}: in colour
function M.statusline(highlight)
  return highlight and client.line.coloured or client.line.plain
end

--- The status as KorProxy sent it: state, text, severity, icon, hover, command.
function M.status()
  return client.status
end

---@param args string[] the name of a command and its arguments
function M.run(args)
  for _, command in ipairs(commands) do
    if command.name == (args[1] or "menu") then
      local id, arguments = command.id, vim.tbl_map(function(text)
        return text == "true" or (text ~= "false" and text)
      end, vim.list_slice(args, 2))
      if #arguments == 0 and command.menu then
        id, arguments = "korproxy.menu", { command.menu }
      end
      return client.execute({ command = id, arguments = arguments })
    end
  end
  vim.notify("E475: Invalid argument: " .. args[1], vim.log.levels.ERROR)
end

function M.complete(lead, line)
  local names = {}
  for _, command in ipairs(line:match("^%S+%s+%S+%s") and {} or commands) do
    if vim.startswith(command.name, lead) then
      table.insert(names, command.name)
    end
  end
  return names
end

return M
