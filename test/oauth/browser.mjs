// Goes through a sign-in as a person does, in a real headless Chromium: opens
// the address, enters name and password or the device's code, agrees to
// everything, and prints the text of the page it ends on.
//   node browser.mjs CHROMIUM URL NAME [deny | CODE]
import puppeteer from 'puppeteer-core'

const [chromium, url, name, more] = process.argv.slice(2)
const deny = more === 'deny'
// A button may stand outside the form it submits; the one that aborts is left alone.
const button = 'button[type=submit]:not([name=abort])'
const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu', '--no-first-run'] })
try {
  const page = await browser.newPage()
  await page.goto(url)
  for (let step = 0; step < 8; step++) {
    if (await page.$('input[name=login]')) {
      await page.type('input[name=login]', name)
      await page.type('input[name=password]', 'x')
    } else if (await page.$('input[name=user_code]:not([type=hidden])')) {
      await page.type('input[name=user_code]', more)
    } else if (deny && await page.$('a[href$="/abort"]')) {
      await Promise.all([page.waitForNavigation(), page.click('a[href$="/abort"]')])
      continue
    } else if (!(await page.$(button))) {
      break
    }
    await Promise.all([page.waitForNavigation(), page.click(button)])
  }
  console.log(await page.evaluate(() => document.body.innerText))
} finally {
  await browser.close()
}
