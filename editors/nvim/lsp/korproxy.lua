-- For vim.lsp.enable("korproxy"), NeoVim 0.11 and later.
local client = require("korproxy.client")
return vim.tbl_extend("force", client.config(), {
  root_dir = function(buf, start)
    if client.owns(buf) then
      start(vim.fn.getcwd())
    end
  end,
})
