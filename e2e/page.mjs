// Looks at the page as a visitor does, in Chromium: node page.mjs URL SHA256 FOLDER
// It prints what is wrong with the page, one finding per line, and leaves screenshots in the folder.
import { createRequire } from 'node:module'
const tools = new URL('.tools/', import.meta.url)
const require = createRequire(tools)
const { chromium } = require('playwright-core')
const axe = require('axe-core')

const [url, sha256, folder] = process.argv.slice(2)
const browser = await chromium.launch({ executablePath: new URL('bin/chromium', tools).pathname, args: ['--no-sandbox'] })

// visit opens the page and calls look with it.
async function visit(name, options, look) {
  const find = (text) => console.log(`${name}: ${text}`)
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.on('console', (message) => find(`the console says ${message.text()}`)) // So does a violation of the CSP.
  page.on('pageerror', (error) => find(`the script fails: ${error}`))
  page.on('request', (request) => {
    if (new URL(request.url()).host !== new URL(url).host) find(`asks for ${request.url()}`)
  })
  page.on('response', (response) => {
    if (response.status() !== 200) find(`${response.url()} is answered with ${response.status()}`)
  })
  await page.route('**/version', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 500)) // What comes late must not move the page.
    await route.continue()
  })
  await page.goto(url, { waitUntil: 'networkidle' })
  await look(page, find)
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true })
  await context.close()
}

for (const colorScheme of ['light', 'dark']) {
  for (const [size, width, height] of [['wide', 960, 800], ['narrow', 412, 823]]) {
    await visit(`${colorScheme}-${size}`, { colorScheme, viewport: { width, height } }, async (page, find) => {
      const shown = page.locator('#version') // Another page may not show it.
      if ((await shown.count()) && !(await shown.textContent()).includes(sha256)) find('does not show what is running')
      const scroll = await page.evaluate(() => document.documentElement.scrollWidth)
      if (scroll > width) find(`is ${scroll} pixels wide`)
      const shift = await page.evaluate(() => new Promise((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({ type: 'layout-shift', buffered: true })
        setTimeout(() => resolve(0), 200) // There is no entry when nothing moves.
      }))
      if (shift > 0.01) find(`jumps: layout shift ${shift.toFixed(3)}`)
      await page.evaluate(axe.source)
      const { violations } = await page.evaluate(() => window.axe.run())
      for (const { id, help, nodes } of violations) find(`accessibility: ${id}: ${help}: ${nodes.map((node) => node.html).join(' ')}`)
    })
  }
}

await visit('without-script', { javaScriptEnabled: false }, async (page, find) => {
  if ((await page.locator('#version').count()) && !(await page.isVisible('a[href="/version"]'))) find('has no link to /version')
})
await browser.close()
