-- Menus and input boxes.
local M = {}

local client = require("korproxy.client")

local function format(item)
  if item.separator then
    return "── " .. item.label .. " ──"
  end
  local parts = vim.tbl_filter(function(text)
    return text ~= ""
  end, { item.label, item.description or "", item.detail or "" })
  return (item.checked and "✓ " or "  ") .. table.concat(parts, " · ")
end

function M.menu(id)
  client.request("korproxy/menu", { id = id }, function(menu)
    vim.ui.select(menu.items, { prompt = menu.title, kind = "korproxy", format_item = format }, function(item)
      if item and item.command then
        client.execute(item.command)
      elseif item and item.menu then
        M.menu(item.menu)
      end
    end)
  end)
end

local function matches(pattern, text)
  -- In a very magic pattern these have a meaning that they have nowhere else.
  pattern = pattern:gsub("[=<>@&~%%]", "\\%0")
  return vim.regex("\\v\\C^%(" .. pattern .. ")$"):match_str(text) ~= nil
end

--- Asks for a line of text. Runs in the coroutine of a request, which it suspends.
function M.input(params)
  local co = coroutine.running()
  local function ask(prompt, value)
    local function answer(text)
      if text and params.pattern and not matches(params.pattern, text) then
        return ask((params.patternError or params.title) .. " " .. params.prompt, text)
      end
      -- The box may answer before this function has come to its yield.
      vim.schedule(function()
        coroutine.resume(co, text)
      end)
    end
    if params.secret then
      local ok, text = pcall(vim.fn.inputsecret, prompt .. ": ")
      answer(ok and text ~= "" and text or nil)
    else
      vim.ui.input({ prompt = prompt .. ": ", default = value }, answer)
    end
  end
  ask(params.title .. ": " .. params.prompt, params.value)
  return { value = coroutine.yield() or vim.NIL }
end

return M
