import { describe, expect, test, vi } from 'vitest'

import { clients, ids, openPage, problem } from './page'

const options = { ...ids, jsApiList: ['getContext', 'scanQRCode'] }
const revoked = { err_msg: 'agentConfig:invalid signature', err_code: 42012 }
const cured = { status: 202, body: { cause: 'ticket_refused', action: 'refetch', retry_after: 3, hint: {} } }
const incurable = { status: 202, body: { cause: 'page_differs', action: 'none', retry_after: null, hint: {} } }

async function load() {
  return { ...await import('../src/index'), ww: await import('@wecom/jssdk') }
}

test('a refused signature is told, and the page registers again when it is time', async () => {
  const page = openPage(clients.wecom, '/orders?id=7#/detail')
  page.refuse = revoked
  page.told = cured
  const { registerSuite, ww } = await load()
  vi.useFakeTimers()
  const onError = vi.fn(), settled = vi.fn()
  const registered = registerSuite({ ...options, onError })
  registered.then(settled, settled)
  await vi.advanceTimersByTimeAsync(2_900)
  expect(settled).not.toHaveBeenCalled()
  expect(page.reports).toEqual([{
    kind: 'agent_config', url: 'https://h5.example.com/orders?id=7', suite_id: 'wwsuite', corp_id: 'wwcorp', agent_id: 1000002,
    timestamp: '1414587457', nonceStr: expect.any(String), signature: page.calls[0].params.signature, errMsg: revoked.err_msg, errCode: 42012
  }])
  page.refuse = undefined // the new ticket is there
  await vi.advanceTimersByTimeAsync(200)
  expect(await registered).toMatchObject({ identity: 'agent', url: 'https://h5.example.com/orders?id=7' })
  expect(page.asked.length).toBe(2) // a signature of the new ticket
  expect((await ww.getContext()).errMsg).toBe('getContext:ok')
  expect(onError).not.toHaveBeenCalled()
  expect(page.errors()).toEqual([])
})

test('a route that is refused later registers again by itself', async () => {
  const page = openPage(clients.wecom, '/one')
  page.told = { status: 202, body: { retry_after: 1 } }
  const { registerSuite, ww } = await load()
  await registerSuite(options)
  page.refuse = revoked
  history.pushState(null, '', '/two')
  vi.useFakeTimers()
  await expect(ww.getContext()).rejects.toBeTruthy()
  page.refuse = undefined
  const calls = page.calls.length
  await vi.advanceTimersByTimeAsync(1_100)
  expect(page.calls.slice(calls).map(c => c.name)).toEqual(['agentConfig'])
  expect((await ww.getContext()).errMsg).toBe('getContext:ok')
})

describe('what is not cured fails as ever', () => {
  for (const [name, told] of [['nothing to be done', incurable], ['a service without it', problem(404, 'not_found')], ['too many', problem(429, 'rate_limited')],
    ['no answer', 'offline'], ['another service', { status: 200, body: '<html>' }]] as const) {
    test(name, async () => {
      const page = openPage(clients.wecom)
      page.refuse = revoked
      page.told = told
      const { registerSuite } = await load()
      const onError = vi.fn()
      const error = await registerSuite({ ...options, onError }).catch(e => e)
      expect(error).toMatchObject({ code: 'client_refused', status: 0, detail: revoked.err_msg })
      expect(onError.mock.calls).toEqual([[error]])
      // and is not told again for a while, however often the page tries
      for (let i = 0; i < 5; i++) {
        await registerSuite(options).catch(() => {})
      }
      expect(page.reports.length).toBe(1)
      expect(page.errors().filter(e => !e.includes('client_refused'))).toEqual([])
    })
  }
})

test('it can be switched off', async () => {
  const page = openPage(clients.wecom)
  page.refuse = revoked
  page.told = cured
  const { registerSuite } = await load()
  await expect(registerSuite({ ...options, report: false })).rejects.toMatchObject({ code: 'client_refused' })
  expect(page.reports).toEqual([])
})

test('what no ticket can cure is told by one page in ten', async () => {
  for (const [random, reports] of [[0.05, 1], [0.5, 0]] as const) {
    const page = openPage(clients.wecom)
    page.refuse = { err_msg: 'agentConfig:fail', err_code: 80001 }
    page.told = incurable
    vi.spyOn(Math, 'random').mockReturnValue(random)
    const { registerSuite } = await load()
    await expect(registerSuite(options)).rejects.toMatchObject({ code: 'client_refused' })
    expect(page.reports.length).toBe(reports)
  }
})

test('what the service itself refuses is not told', async () => {
  const page = openPage(clients.wecom)
  page.answer = () => problem(403, 'untrusted_domain')
  vi.spyOn(Math, 'random').mockReturnValue(0)
  const { registerSuite } = await load()
  await expect(registerSuite(options)).rejects.toMatchObject({ code: 'untrusted_domain' })
  expect(page.reports).toEqual([])
})

test('before 3.0.24, where both registrations fail at once, the refused one is told', async () => {
  const page = openPage(clients.weComOld)
  page.refuse = { err_msg: 'preVerifyJSAPI:invalid signature', err_code: 40093 }
  page.told = incurable
  const { registerSuite } = await load()
  await expect(registerSuite(options)).rejects.toMatchObject({ code: 'client_refused' })
  expect(page.reports.map(r => r.kind)).toEqual(['config'])
})

test('wx.config and wx.agentConfig are cured alike', async () => {
  const page = openPage(clients.wecom)
  page.told = { status: 202, body: { retry_after: 1 } }
  const { configureWx } = await import('../src/index')
  vi.useFakeTimers()
  const failed: ((result: any) => void)[] = []
  let refusals = 1
  const wx = {
    config: vi.fn(),
    ready: (done: () => void) => done(),
    error: (f: (result: any) => void) => { failed.push(f) },
    checkJsApi: (o: any) => o.complete(),
    agentConfig: vi.fn((o: any) => refusals-- > 0 ? o.fail({ errMsg: 'agentConfig:fail, invalid signature' }) : o.success({ errMsg: 'agentConfig:ok' }))
  }
  const configured = configureWx(wx, { ...options, jsApiList: ['scanQRCode'] })
  await vi.advanceTimersByTimeAsync(1_100)
  expect(await configured).toMatchObject({ identity: 'agent' })
  expect(page.reports.map(r => [r.kind, r.errMsg])).toEqual([['agent_config', 'agentConfig:fail, invalid signature']])
  expect(wx.agentConfig).toHaveBeenCalledTimes(2)
  expect(wx.config).toHaveBeenCalledTimes(1)
})
