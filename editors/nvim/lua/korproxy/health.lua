local M = {}

local report = { ok = vim.health.ok, warning = vim.health.warn, failed = vim.health.error, skipped = vim.health.info }

function M.check()
  local client = require("korproxy.client")
  vim.health.start("KorProxy")
  local result
  client.request("workspace/executeCommand", { command = "korproxy.doctor", arguments = { { show = false } } }, function(answer)
    result = answer
  end)
  vim.wait(20000, function()
    return result ~= nil
  end, 20)
  for _, check in ipairs(result and result.checks or {}) do
    local advice = vim.tbl_values({ check.fix, check.run, check.link })
    local text = check.title .. ": " .. check.message .. (check.code and " (" .. check.code .. ")" or "")
    report[check.result](text, #advice > 0 and check.result ~= "ok" and advice or nil)
  end
  if not result then
    vim.health.error(client.status.hover)
  end
end

return M
