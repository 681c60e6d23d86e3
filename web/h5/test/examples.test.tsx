import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

import { StrictMode } from 'react'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { clients, here, ids, openPage, problem, sign } from './page'

const options = { ...ids, jsApiList: ['scanQRCode'] }

function place(): HTMLElement {
  const element = document.body.appendChild(document.createElement('div'))
  onTestFinished(() => element.remove())
  return element
}

describe('Vue 3', () => {
  async function mounted() {
    const { createApp, h } = await import('vue')
    const { useSuite } = await import('../examples/vue')
    let suite: ReturnType<typeof useSuite>
    const app = createApp({
      setup() {
        suite = useSuite(options)
        return () => h('p', suite.error.value ? suite.error.value.hint.zh : suite.state.value)
      }
    })
    const element = place()
    app.mount(element)
    onTestFinished(() => app.unmount())
    return { element, suite: suite! }
  }

  test('registers when mounted, and anew for a history route', async () => {
    const page = openPage(clients.wecom)
    const { element, suite } = await mounted()
    expect(element.textContent).toBe('pending')
    await vi.waitFor(() => expect(element.textContent).toBe('ready'))
    location.hash = '#/hash'
    await suite.ready()
    expect(page.asked.length).toBe(1)
    history.pushState(null, '', '/next')
    await suite.ready()
    expect(page.asked.map(a => a.page)[1]).toBe(here())
  })

  test('shows the hint, and recovers', async () => {
    const page = openPage(clients.wecom)
    page.answer = () => problem(403, 'untrusted_domain')
    const { element, suite } = await mounted()
    await vi.waitFor(() => expect(element.textContent).toContain('信任此页面的域名'))
    await expect(suite.ready()).rejects.toMatchObject({ code: 'untrusted_domain' })
    page.answer = sign
    history.pushState(null, '', '/trusted')
    await suite.ready()
    await vi.waitFor(() => expect(element.textContent).toBe('ready'))
  })
})

describe('React', () => {
  async function mounted(onScan = (_: string) => {}) {
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', false)
    const { createRoot } = await import('react-dom/client')
    const { ScanButton } = await import('../examples/react')
    const element = place()
    const root = createRoot(element)
    root.render(<StrictMode><ScanButton options={options} onScan={onScan} /></StrictMode>)
    onTestFinished(() => root.unmount())
    return element
  }

  test('registers once under StrictMode, and calls an API', async () => {
    const page = openPage(clients.wecom)
    const scanned = vi.fn()
    const element = await mounted(scanned)
    await vi.waitFor(() => expect(element.querySelector('button')?.disabled).toBe(false))
    expect(page.asked.length).toBe(1)
    element.querySelector('button')!.click()
    await vi.waitFor(() => expect(scanned).toHaveBeenCalledTimes(1))
    expect(page.asked.length).toBe(1)
  })

  test('shows the hint', async () => {
    const page = openPage(clients.wecom)
    page.answer = () => problem(403, 'tenant_inactive')
    const element = await mounted()
    await vi.waitFor(() => expect(element.querySelector('[role=alert]')?.textContent).toContain('已停用'))
    expect(page.asked.length).toBe(1)
  })
})

// In a browser, with the real files: e2e/h5_test.go.
describe('plain script', () => {
  const html = readFileSync(resolve(import.meta.dirname, '../examples/plain.html'), 'utf8')
  const script = /<script>([^]*)<\/script>/.exec(html)![1]

  function run(registerSuite: (options: any) => Promise<any>) {
    const element = place()
    element.innerHTML = '<button id="scan" disabled></button><pre id="out"></pre>'
    new Function('suitesign', script)({ registerSuite })
    return { scan: element.querySelector('button')!, out: element.querySelector('pre')! }
  }

  test('registers, and its button calls an API', async () => {
    const ww = { scanQRCode: vi.fn(async () => ({ resultStr: 'scanned' })) }
    const { scan, out } = run(async () => ({ ww, identity: 'agent' }))
    await vi.waitFor(() => expect(out.textContent).toBe('registered: agent'))
    scan.click()
    await vi.waitFor(() => expect(out.textContent).toBe('scanned'))
    ww.scanQRCode.mockRejectedValue({ errMsg: 'scanQRCode:fail' })
    scan.click()
    await vi.waitFor(() => expect(out.textContent).toBe('scanQRCode:fail'))
  })

  test('shows code and hint', async () => {
    const { SuitesignError } = await import('../src/errors')
    const { scan, out } = run(() => Promise.reject(new SuitesignError('no_client')))
    await vi.waitFor(() => expect(out.textContent).toMatch(/^no_client\n请在企业微信.*\nOpen this page/))
    expect(scan.disabled).toBe(true)
  })
})
