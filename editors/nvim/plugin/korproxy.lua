if vim.g.loaded_korproxy then
  return
end
vim.g.loaded_korproxy = true

vim.api.nvim_create_user_command("KorProxy", function(args)
  require("korproxy").run(args.fargs)
end, { nargs = "*", complete = "customlist,v:lua.require'korproxy'.complete" })

-- A plugin manager may load this after VimEnter, and call setup() right behind it.
local start = vim.schedule_wrap(function()
  if require("korproxy.client").options.autostart then
    require("korproxy").start()
  end
end)
if vim.v.vim_did_enter == 1 then
  start()
else
  vim.api.nvim_create_autocmd("VimEnter", { callback = start })
end
