-- The plugin in a NeoVim without a screen. Prints one line per check, and ends
-- with an exit status that tells whether all went well.
local passed, failed = 0, 0

local function check(name, fn)
  local ok, err = xpcall(fn, debug.traceback)
  passed, failed = passed + (ok and 1 or 0), failed + (ok and 0 or 1)
  io.stdout:write(ok and "ok    " or "FAIL  ", name, "\n", ok and "" or err .. "\n")
end

local function within(ms, what, cond)
  assert(vim.wait(ms, cond, 10), "not within " .. ms .. " ms: " .. what)
end

local function equal(got, want)
  assert(vim.deep_equal(got, want), "got " .. vim.inspect(got) .. ", want " .. vim.inspect(want))
end

local function state(want, ms)
  local kp = require("korproxy")
  within(ms or 5000, want .. ", it is " .. vim.inspect(kp.status()), function()
    return kp.status().state == want
  end)
end

local function daemon()
  return tonumber(vim.fn.system({ "korproxy", "status", "--json" }):match('"pid": (%d+)'))
end

local function forwarder()
  local children = vim.api.nvim_get_proc_children(vim.fn.getpid())
  return vim.iter(children):find(function(pid)
    local proc = vim.api.nvim_get_proc(pid)
    return proc and proc.name:match("^korproxy")
  end)
end

-- The answers that the user would give, in turn.
local asked = {}
local function choosing(...)
  local answers = { ... }
  asked = {}
  vim.ui.select = function(items, opts, done)
    local lines = vim.tbl_map(opts.format_item or tostring, items)
    table.insert(asked, { prompt = opts.prompt, lines = lines })
    local want = table.remove(answers, 1)
    for i, line in ipairs(lines) do
      if want and line:find(want, 1, true) then
        return done(items[i], i)
      end
    end
    done(nil)
  end
end

local function document(lines)
  local path = vim.env.RUN .. "/work/korproxy.toml"
  vim.cmd("silent! bwipeout! " .. path)
  vim.fn.writefile(lines, path)
  vim.cmd("edit! " .. path)
  return vim.api.nvim_get_current_buf()
end

local function diagnosed(buf)
  within(5000, "a diagnostic", function()
    return #vim.diagnostic.get(buf) > 0
  end)
  return vim.diagnostic.get(buf)[1]
end

local function healed(kill)
  local buf = document({ "strct = true" })
  diagnosed(buf)
  local seen = {}
  local watch = vim.api.nvim_create_autocmd("User", {
    pattern = "KorProxyStatus",
    callback = function(event)
      table.insert(seen, event.data.state)
    end,
  })
  local start = vim.uv.now()
  kill()
  within(2000, "restarting, then ready; seen " .. table.concat(seen, " "), function()
    local at = vim.fn.index(seen, "restarting")
    return at >= 0 and vim.list_contains(vim.list_slice(seen, at + 2), require("korproxy").status().state) and seen[#seen] ~= "starting" and seen[#seen] ~= "restarting"
  end)
  io.stdout:write("      healed after ", vim.uv.now() - start, " ms\n")
  vim.api.nvim_del_autocmd(watch)
  state("ready", 2000)
  diagnosed(buf)
  -- What is typed from here on has to reach the new one.
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, { "" })
  within(5000, "no diagnostic", function()
    return #vim.diagnostic.get(buf) == 0
  end)
end

local function main()
  local kp = require("korproxy")

  check("the connection comes by itself, with no file open", function()
    state("ready")
    assert(kp.statusline():find("work"), kp.statusline())
    equal(#vim.lsp.get_clients({ name = "korproxy" }), 1)
  end)

  check("nothing is said at the start", function()
    equal(vim.fn.execute("messages"), "")
  end)

  check("the status line is in colour where it is wanted", function()
    equal(kp.statusline(true), "%#StatusLine#" .. kp.statusline() .. "%*")
  end)

  check(":KorProxy completes the commands", function()
    equal(vim.fn.getcompletion("KorProxy s", "cmdline"), { "sign-in", "safe-mode", "status" })
    equal(vim.fn.getcompletion("KorProxy profile ", "cmdline"), {})
  end)

  local buf
  check("a mistake in korproxy.toml is shown where it is", function()
    buf = document({ "# a comment", "strct = true" })
    local it = diagnosed(buf)
    equal({ it.lnum, it.source }, { 1, "korproxy" })
    assert(tostring(it.code):match("^KP%-"), vim.inspect(it))
  end)

  check("its quick fix mends it", function()
    vim.api.nvim_win_set_cursor(0, { 2, 1 })
    choosing("strict")
    vim.lsp.buf.code_action()
    within(5000, "the fix; asked " .. vim.inspect(asked), function()
      return vim.api.nvim_buf_get_lines(buf, 1, 2, false)[1] == "strict = true"
    end)
    within(5000, "no diagnostic", function()
      return #vim.diagnostic.get(buf) == 0
    end)
  end)

  check("hover explains a setting", function()
    vim.api.nvim_win_set_cursor(0, { 2, 1 })
    vim.lsp.buf.hover()
    within(5000, "a window", function()
      return #vim.api.nvim_list_wins() == 2
    end)
    local float = vim.iter(vim.api.nvim_list_wins()):find(function(win)
      return vim.api.nvim_win_get_config(win).relative ~= ""
    end)
    local text = table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(float), 0, -1, false), "\n")
    assert(text:find("strict"), text)
    vim.api.nvim_win_close(float, true)
  end)

  check("completion is at hand", function()
    equal(vim.bo[buf].omnifunc, "v:lua.vim.lsp.omnifunc")
  end)

  check("the menu switches the profile", function()
    choosing("Switch profile", "home")
    vim.cmd.KorProxy()
    within(5000, "home in the status line; asked " .. vim.inspect(asked), function()
      return kp.statusline():find("home") ~= nil
    end)
    assert(vim.iter(asked[2].lines):any(function(line)
      return line:find("✓ work") ~= nil
    end), vim.inspect(asked))
  end)

  check("a command with an argument asks nothing", function()
    choosing()
    vim.cmd("KorProxy profile work")
    within(5000, "work in the status line", function()
      return kp.statusline():find("work") ~= nil
    end)
    equal(asked, {})
  end)

  check("a command without one opens its menu", function()
    choosing()
    vim.cmd.KorProxy("model")
    within(5000, "a menu", function()
      return #asked > 0
    end)
    assert(vim.iter(asked[1].lines):any(function(line)
      return line:find("lab/") ~= nil
    end), vim.inspect(asked))
  end)

  check("an input box asks for a key, and shows none of it", function()
    local prompts = {}
    vim.fn.inputsecret = function(prompt)
      table.insert(prompts, prompt)
      return ""
    end
    require("korproxy.client").execute({ command = "korproxy.signIn", arguments = { "openai", "key" } })
    within(5000, "a prompt", function()
      return #prompts > 0
    end)
    vim.fn.inputsecret = nil
  end)

  check("text that does not fit is asked for again", function()
    local prompts, answers, result = {}, { "bad", "sk-a1" }, nil
    vim.ui.input = function(opts, done)
      table.insert(prompts, opts.prompt)
      done(table.remove(answers, 1))
    end
    coroutine.wrap(function()
      result = require("korproxy.ui").input({ title = "Key", prompt = "API key", pattern = "sk-[a-z0-9=]{2,}(~x)?", patternError = "It starts with sk-." })
    end)()
    within(1000, "an answer", function()
      return result ~= nil
    end)
    equal(result, { value = "sk-a1" })
    equal(prompts, { "Key: API key: ", "It starts with sk-. API key: " })
  end)

  check("checkhealth shows what doctor finds", function()
    vim.cmd.checkhealth("korproxy")
    local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
    for _, check_ in ipairs(vim.json.decode(vim.fn.system({ "korproxy", "doctor", "--json" })).checks) do
      assert(text:find(check_.title, 1, true), check_.title .. " is missing in\n" .. text)
    end
    vim.cmd.bwipeout()
  end)

  check("a daemon that dies is back within two seconds", function()
    healed(function()
      vim.uv.kill(daemon(), "sigkill")
    end)
  end)

  check("so is the program that the editor started", function()
    local pid = forwarder()
    healed(function()
      vim.uv.kill(pid, "sigkill")
    end)
    assert(forwarder() ~= pid)
  end)

  check("all that was said is nothing", function()
    local said = vim.fn.execute("messages")
    assert(not said:find("quit") and not said:find("exit") and not said:find("Error"), said)
  end)

  check("stop ends it, start begins again", function()
    kp.stop()
    state("stopped")
    kp.start()
    state("ready")
  end)

  check("a program that is missing is told in the status", function()
    kp.stop()
    state("stopped")
    kp.setup({ path = "korproxy-is-not-here" })
    kp.start()
    state("failed")
    assert(kp.statusline(true):find("DiagnosticError"), kp.statusline(true))
    kp.setup({ path = "korproxy" })
    kp.start()
    state("ready")
  end)

  check("a program that ends at once is tried again, ever more slowly, and told of", function()
    local broken = vim.env.RUN .. "/broken"
    vim.fn.writefile({ "#!/bin/sh", "exit 3" }, broken)
    vim.fn.setfperm(broken, "rwxr-xr-x")
    kp.stop()
    state("stopped")
    kp.setup({ path = broken })
    kp.start()
    state("restarting")
    state("failed", 10000)
    equal(vim.api.nvim_get_mode().blocking, false)
    kp.setup({ path = "korproxy" })
    state("ready", 10000)
  end)

  if vim.lsp.enable then
    check("vim.lsp.enable uses the same connection", function()
      vim.lsp.enable("korproxy")
      vim.cmd("silent! bwipeout! korproxy.toml | edit " .. vim.env.RUN .. "/work/other.toml | filetype on | set filetype=toml")
      document({ "strct = true" })
      vim.bo.filetype = "toml"
      diagnosed(0)
      equal(#vim.diagnostic.get(0), 1)
      equal(#vim.lsp.get_clients({ bufnr = vim.fn.bufnr("other.toml") }), 0)
      equal(#vim.lsp.get_clients({ name = "korproxy" }), 1)
    end)
  end

  io.stdout:write(("%s: %d passed, %d failed\n"):format(vim.version().minor, passed, failed))
  os.exit(failed == 0 and passed > 0 and 0 or 1)
end

vim.api.nvim_create_autocmd("VimEnter", {
  callback = function()
    vim.schedule(function()
      local ok, err = xpcall(main, debug.traceback)
      if not ok then
        io.stdout:write("FAIL  the test itself\n", err, "\n")
      end
      os.exit(1)
    end)
  end,
})
