// Drives the editor as a user does, and looks at what a user sees. Waits for
// conditions only; a condition that does not come is a failure.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { startProvider } from './provider.mjs'

const { RUN, VSIX, CODE_SERVER, CHROMIUM, KORPROXY_SHOTS } = process.env
const at = (...names) => path.join(RUN, ...names)
for (const dir of ['home/.korproxy', 'work', 'ud/User', 'ud/Machine', 'home']) fs.mkdirSync(at(dir), { recursive: true })

let passed = 0
let page
async function check(name, fn) {
  const began = Date.now()
  try {
    await fn()
    passed++
    console.log(`ok ${name} (${Date.now() - began} ms)`)
  } catch (error) {
    console.log(`FAIL ${name}: ${error.message}`)
    await page?.screenshot({ path: at('failed.png') }).catch(() => {})
    throw error
  }
}
function expect(is, what) {
  if (!is) throw new Error(what)
}
async function until(what, fn, ms = 15000) {
  for (const end = Date.now() + ms; ; await new Promise((r) => setTimeout(r, 20))) {
    const got = await fn()
    if (got) return got
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`)
  }
}
const shot = async (name) => KORPROXY_SHOTS && page.screenshot({ path: path.join(KORPROXY_SHOTS, `vscode-${name}.png`) })

// The provider, the daemon's configuration and the editor.
const freePort = () =>
  new Promise((done) => {
    const s = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = s.address()
      s.close(() => done(port))
    })
  })
const provider = await startProvider()
fs.writeFileSync(
  at('home/.korproxy/korproxy.toml'),
  `listen = "127.0.0.1:${await freePort()}"
profile = "home"
trusted_folders = ["${at('work')}"]

[providers.lab]
dialect = "openai-chat"
base_url = "${provider.url}"
[[providers.lab.models]]
id = "oak-1"
context = 128000
output = 8192
vision = true
tools = true

[[accounts]]
provider = "lab"
name = "default"
api_key_env = "LAB_KEY"

[profiles.work]
target = "lab/oak-1"

[profiles.home]
target = "lab/oak-1"
`,
)
const env = {
  ...process.env,
  HOME: at('home'),
  KORPROXY_HOME: at('home/.korproxy'),
  KORPROXY_KEYRING: 'off',
  LAB_KEY: 'sk-lab',
  PROBE_OUT: at('probe.json'),
}
const settings = {
  'chat.disableAIFeatures': true,
  'chat.byokUtilityModelDefault': 'mainAgent',
  'security.workspace.trust.enabled': false,
  'workbench.startupEditor': 'none',
  'workbench.editor.useModal': 'off',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'remote.autoForwardPorts': false, // the extension sees to it for the usual port only
  'extensions.autoUpdate': 'off',
  'extensions.autoCheckUpdates': false,
}
const settingsFile = at('ud/User/settings.json')
fs.writeFileSync(settingsFile, JSON.stringify(settings, null, 2))
const server = [CODE_SERVER, '--user-data-dir', at('ud'), '--extensions-dir', at('ext'), '--config', at('code-server.yaml')]
execFileSync('node', [...server, '--install-extension', VSIX, '--install-extension', at('probe.vsix')], { env, stdio: 'pipe' })
const bundled = at('ext', fs.readdirSync(at('ext')).find((d) => d.startsWith('korproxy.korproxy-')), 'bin/korproxy')
const korproxy = (...args) => execFileSync(bundled, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
const status = () => JSON.parse(korproxy('status', '--json'))

const log = fs.openSync(at('code-server.log'), 'w')
const flags = ['--auth', 'none', '--bind-addr', '127.0.0.1:0', '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override']
// A group of its own, as the editor's helpers can outlive it.
const editor = spawn('node', [...server, ...flags], { env, detached: true, stdio: ['ignore', log, log] })
let browser
async function finish() {
  await browser?.close().catch(() => {})
  try {
    process.kill(-editor.pid, 'SIGKILL')
  } catch {}
  try {
    korproxy('down')
  } catch {}
  provider.stop()
}
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => finish().finally(() => process.exit(1)))

const item = () => page.locator('[id="korproxy.korproxy.status"]')
const rows = () => page.locator('.quick-input-widget .monaco-list-row')
const row = (text) => rows().filter({ hasText: text })
const menuIs = (title) => page.locator('.quick-input-title', { hasText: title }).waitFor()
const itemSays = (text, ms = 10000) => item().filter({ hasText: text }).waitFor({ timeout: ms })
// heals waits until the item has said that KorProxy is restarting, which can be
// there for a moment only, and then what it said before.
async function heals() {
  const said = () => page.evaluate(() => window.said)
  await until('the item says restarting', async () => (await said()).some((t) => /restarting/.test(t)))
  await until('the item is as before', async () => (await said()).at(-1).includes('oak-1'))
}
const watchItem = () =>
  page.evaluate(() => {
    window.said = []
    const look = () => {
      const text = document.getElementById('korproxy.korproxy.status')?.innerText.trim()
      if (text && text !== window.said.at(-1)) window.said.push(text)
    }
    window.watching ??= new MutationObserver(() => look())
    window.watching.observe(document.querySelector('.part.statusbar'), { subtree: true, childList: true, characterData: true, attributes: true })
  })
// A hidden notification keeps its place, so that none has to be waited for.
const toasts = () => page.locator('.notification-list-item-message')
async function palette(name) {
  await page.keyboard.press('F1')
  await page.locator('.quick-input-widget input').fill(`>${name}`)
  await row(name).first().click()
}
async function open(file) {
  await page.keyboard.press('Control+P')
  await page.locator('.quick-input-widget input').fill(file)
  await row(file).first().click()
}
// edit changes settings as a user does, who opens the file and types. Those of the
// machine stand in a file of their own.
async function edit(command, file, values) {
  await palette(command)
  const tab = page.locator('.tab.active', { hasText: 'settings.json' })
  await tab.waitFor()
  await page.locator('.editor-instance .view-lines').click()
  await page.keyboard.press('Control+A')
  await page.keyboard.insertText(JSON.stringify(values))
  await page.keyboard.press('Control+Shift+End') // what the editor has closed by itself
  await page.keyboard.press('Delete')
  await page.keyboard.press('Control+S')
  await until('the settings are saved', () => fs.readFileSync(file, 'utf8') === JSON.stringify(values))
  await tab.locator('.tab-actions .action-label').click()
  await tab.waitFor({ state: 'detached' })
}
const setUser = (change) => edit('Preferences: Open User Settings (JSON)', settingsFile, Object.assign(settings, change))
const setMachine = (values) => edit('Preferences: Open Remote Settings (JSON)', at('ud/Machine/settings.json'), values)
const pids = (name) => execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n').filter((l) => l.includes(`${bundled} ${name}`)).map((l) => Number.parseInt(l, 10))

try {
  const address = await until('code-server listens', () => /listening on (http:\S+)/.exec(fs.readFileSync(at('code-server.log'), 'utf8'))?.[1], 30000)
  browser = await chromium.launchPersistentContext(at('chromium'), {
    executablePath: CHROMIUM,
    viewport: { width: 1280, height: 800 },
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  page = browser.pages()[0]
  page.setDefaultTimeout(15000)
  await page.route('**/*', (r) => (/^(https?:\/\/(127\.0\.0\.1|localhost)[:/]|data:|blob:)/.test(r.request().url()) ? r.continue() : r.abort()))
  await page.goto(`${address}?folder=${at('work')}`)

  await check('the item says which model answers', async () => {
    await itemSays('oak-1', 60000)
    expect((await toasts().count()) === 0, 'there is a toast at the start')
    expect((await item().innerText()).includes('home'), await item().innerText())
  })

  await check('a click shows the menu, and a profile is switched in it', async () => {
    await item().locator('a').click()
    await row('Switch profile').waitFor()
    await shot('menu')
    await row('Switch profile').click()
    await menuIs('Switch profile')
    await row('work').click()
    await itemSays('work')
    expect(status().profile === 'work', `the daemon has ${status().profile}`)
  })

  await check('an open menu follows what changes elsewhere', async () => {
    await palette('KorProxy: Show Menu')
    await row('Switch profile').click()
    await menuIs('Switch profile')
    await page.keyboard.type('o')
    korproxy('profile', 'use', 'home')
    await row('home').locator('.codicon-check').waitFor()
    expect((await page.locator('.quick-input-widget input').inputValue()) === 'o', 'what was typed is gone')
    await page.keyboard.press('Escape')
    await itemSays('home')
  })

  await check('a command that wants a choice opens its menu', async () => {
    await palette('KorProxy: Switch Profile')
    await menuIs('Switch profile')
    expect((await toasts().count()) === 0, 'it asks by a toast')
    await page.keyboard.press('Escape')
  })

  await check('a key is asked for in dots', async () => {
    await item().locator('a').click()
    await row('Sign in or add a key').click()
    await row('Groq').click()
    const input = page.locator('.quick-input-widget input[type=password]')
    await input.waitFor()
    await page.keyboard.press('Escape')
    await input.waitFor({ state: 'hidden' })
  })

  await check('a mistake is marked, listed and mended', async () => {
    fs.writeFileSync(at('work/.korproxy.toml'), '# this folder\nproflie = "work"\n')
    await open('.korproxy.toml')
    await page.locator('.squiggly-error').first().waitFor()
    await page.keyboard.press('Control+Shift+M')
    await page.locator('.markers-panel .monaco-list-row', { hasText: 'KP-' }).waitFor()
    await shot('problem')
    await page.locator('.view-line', { hasText: 'proflie' }).click()
    await page.keyboard.press('Control+.')
    await page.locator('.action-widget .monaco-list-row', { hasText: 'profile' }).first().waitFor()
    await shot('fix')
    await page.keyboard.press('Enter')
    await page.locator('.view-line', { hasText: 'profile = "work"' }).waitFor()
    await page.locator('.markers-panel', { hasText: 'No problems' }).waitFor()
  })

  await check('a daemon that is killed is back, with the menu still open', async () => {
    await page.locator('.view-line', { hasText: 'profile = ' }).click()
    await page.keyboard.press('End')
    await page.keyboard.type('x"')
    await page.locator('.markers-panel .monaco-list-row', { hasText: 'KP-' }).waitFor()
    await item().locator('a').click()
    await row('Switch profile').waitFor()
    const { pid } = status()
    await watchItem()
    const began = Date.now()
    process.kill(pid, 'SIGKILL')
    await heals()
    expect(Date.now() - began < 2000, `it took ${Date.now() - began} ms`)
    expect(status().pid !== pid, 'it is the same')
    expect(await row('Switch profile').isVisible(), 'the menu is gone')
    await row('Switch profile').click()
    await menuIs('Switch profile')
    await page.keyboard.press('Escape')
    await page.locator('.markers-panel .monaco-list-row', { hasText: 'KP-' }).waitFor()
  })

  await check('a connection that is killed is back', async () => {
    const [pid] = pids('lsp')
    await watchItem()
    process.kill(pid, 'SIGKILL')
    await heals()
    expect(!pids('lsp').includes(pid), 'it is the same')
    await page.locator('.markers-panel .monaco-list-row', { hasText: 'KP-' }).waitFor()
    // Requests of a folder whose file is broken are refused, so the rest wants it mended.
    await page.locator('.view-line', { hasText: 'profile = ' }).click()
    await page.keyboard.press('End')
    for (let i = 0; i < 2; i++) await page.keyboard.press('Backspace')
    await page.keyboard.press('Control+S')
    await page.locator('.markers-panel', { hasText: 'No problems' }).waitFor()
    await until('the file is mended', () => fs.readFileSync(at('work/.korproxy.toml'), 'utf8') === '# this folder\nprofile = "work"\n')
  })

  await check('other extensions use the models', async () => {
    const out = env.PROBE_OUT
    await palette('Probe: Ask the Models')
    const allow = page.locator('.monaco-dialog-box .monaco-button', { hasText: 'Allow' })
    await until('a part comes, or a question', async () => fs.existsSync(`${out}.part`) || fs.existsSync(out) || ((await allow.isVisible()) && (await allow.click(), false)), 20000)
    const cut = provider.seen.cut
    fs.writeFileSync(`${out}.cancel`, '')
    await until('the probe ends', () => fs.existsSync(out))
    const got = JSON.parse(fs.readFileSync(out, 'utf8'))
    expect(!got.error, JSON.stringify(got))
    expect(got.id === 'lab/oak-1' && got.tokens > 3 && got.tokens < 20, JSON.stringify(got))
    expect(got.text === 'Hello from the oak.', got.text)
    expect(got.call.name === 'weather' && got.call.input.city === 'Oslo', JSON.stringify(got.call))
    expect(got.result === 'The tool said rain.', got.result)
    expect(got.image.startsWith('I see data:image/png;base64,iVBOR'), got.image)
    expect(got.cancelled !== 'it ended', got.cancelled)
    await until('the provider notices', () => provider.seen.cut > cut)
    expect(provider.seen.asked[1].tool_choice === 'required', 'the tool was not required')
  })

  await check('a program that is not there is told of', async () => {
    await setMachine({ 'korproxy.path': '/nowhere/korproxy' })
    await itemSays('missing')
    await page.locator('[id="korproxy.korproxy.status"].error-kind').waitFor()
    await setMachine({})
    await itemSays('oak-1')
  })

  await check('Chat answers with our model, part by part, and nobody has signed in', async () => {
    await setUser({ 'chat.disableAIFeatures': false }) // which starts the extensions anew
    await until('the editor lists our models', () => fs.readFileSync(at('ud/User/chatLanguageModels.json'), 'utf8').includes('korproxy'))
    const models = page.locator('.chat-input-toolbars .action-label', { hasText: 'oak-1' })
    await until('Chat is open', async () => {
      await page.keyboard.press('Control+Alt+I')
      return models.waitFor({ timeout: 3000 }).then(() => true, () => false)
    }, 30000)
    await models.click()
    await page.locator('.context-view .monaco-list-row', { hasText: 'oak-1' }).waitFor()
    await shot('models')
    await page.keyboard.press('Escape')
    await page.locator('.chat-input-container .monaco-editor').first().click()
    await page.keyboard.type('What is an oak? Slowly, please.')
    await page.keyboard.press('Enter')
    const answer = (text) => page.locator('.interactive-item-container', { hasText: text })
    await answer('An oak is').waitFor({ timeout: 40000 })
    expect((await answer('a patient one').count()) === 0, 'it did not stream')
    provider.seen.held()
    await answer('a patient one').waitFor()
    await shot('chat')
  })
  console.log(`vscode: ${passed} passed, 0 failed`)
} catch (error) {
  console.error(error.stack)
  process.exitCode = 1
} finally {
  await finish()
}
