import { describe, expect, test, vi } from 'vitest'

import { clients, here, ids, openPage, problem, sign } from './page'

const options = { ...ids, jsApiList: ['getContext', 'scanQRCode'] }

/** The page's own modules, loaded afresh: the helper and the real SDK. */
async function load() {
  return { ...await import('../src/index'), ww: await import('@wecom/jssdk') }
}

describe('asks for the signature that the client asks for', () => {
  for (const tt of [
    { name: 'WeCom with an app', client: clients.wecom, kinds: ['agent'], wire: ['agentConfig'], identity: 'agent' },
    { name: 'WeCom without an app', client: clients.wecom, agentId: undefined, kinds: ['config'], wire: ['preVerifyJSAPI'], identity: 'corp' },
    { name: 'WeCom before 3.0.24', client: clients.weComOld, kinds: ['agent', 'config'], wire: ['preVerifyJSAPI', 'agentConfig'], identity: 'agent' },
    { name: 'WeChat', client: clients.wechat, kinds: ['config'], wire: ['preVerifyJSAPI'], identity: 'corp' }
  ]) {
    test(tt.name, async () => {
      const page = openPage(tt.client, '/orders?id=7#/detail')
      const { registerSuite } = await load()
      const registered = await registerSuite('agentId' in tt ? { ...options, agentId: undefined } : options)
      expect(page.asked.map(a => a.kind).sort()).toEqual(tt.kinds)
      expect(page.calls.map(c => c.name)).toEqual(tt.wire)
      expect(registered).toEqual({ identity: tt.identity, url: 'https://h5.example.com/orders?id=7', checkResult: { getContext: true, scanQRCode: true } })
      for (const asked of page.asked) {
        expect(asked.query).toEqual({ suite_id: 'wwsuite', corp_id: 'wwcorp', ...(asked.kind === 'agent' ? { agent_id: '1000002' } : {}), url: registered.url })
      }
      expect(page.errors()).toEqual([])
    })
  }
})

test('an API called at once waits, and all of them share one request', async () => {
  const page = openPage(clients.wecom)
  const { registerSuite, ww } = await load()
  const registered = registerSuite(options)
  const answers = await Promise.all([ww.getContext(), ww.scanQRCode(), ww.closeWindow()])
  expect(answers.map(a => a.errMsg)).toEqual(['getContext:ok', 'scanQRCode:ok', 'closeWindow:ok'])
  await registered
  expect(page.asked.length).toBe(1)
})

test('registering twice costs one request, and the second call resolves too', async () => {
  const page = openPage(clients.wecom)
  const { registerSuite } = await load()
  await Promise.all([registerSuite(options), registerSuite(options)])
  await registerSuite(options)
  expect(page.asked.length).toBe(1)
})

test('a hash route costs nothing; each history route is signed anew, an earlier one too', async () => {
  const page = openPage(clients.wecom, '/a?x=%E4%BD%A0&y=a+b&z=%26#/one')
  const { registerSuite, ww } = await load()
  await registerSuite(options)
  location.hash = '#/two'
  await ww.getContext()
  expect(page.asked.map(a => a.page)).toEqual(['https://h5.example.com/a?x=%E4%BD%A0&y=a+b&z=%26'])

  for (const route of ['/b/', '/订单?名=张三', '/a?x=%E4%BD%A0&y=a+b&z=%26']) {
    history.pushState(null, '', route)
    await registerSuite(options)
    expect(page.asked[page.asked.length - 1].page).toBe(here())
    await ww.getContext()
  }
  expect(page.asked.length).toBe(4)
})

test('a router that moves on while the signature is under way: the new URL is registered', async () => {
  const page = openPage(clients.wecom, '/')
  page.answer = asked => {
    if (asked.page.endsWith('/')) {
      history.replaceState(null, '', '/home?tab=1')
    }
    return sign(asked)
  }
  const { registerSuite } = await load()
  expect((await registerSuite(options)).url).toBe('https://h5.example.com/home?tab=1')
  expect(page.asked.map(a => a.page)).toEqual(['https://h5.example.com/', 'https://h5.example.com/home?tab=1'])
  expect(page.errors()).toEqual([])
})

test('a page that never comes to rest is told so', async () => {
  const page = openPage(clients.wecom, '/0')
  let n = 0
  page.answer = asked => {
    history.replaceState(null, '', '/' + ++n)
    return sign(asked)
  }
  const { registerSuite } = await load()
  await expect(registerSuite(options)).rejects.toMatchObject({ code: 'page_changed' })
  expect(page.asked.length).toBe(11)
})

test('WeChat on a phone is given the URL that the page was opened with', async () => {
  const page = openPage(clients.wechat, '/entry?from=menu')
  const { registerSuite, ww } = await load()
  history.pushState(null, '', '/later')
  await registerSuite(options)
  expect(page.asked.map(a => a.page)).toEqual(['https://h5.example.com/entry?from=menu'])
  expect((await ww.scanQRCode()).errMsg).toBe('scanQRCode:ok')
})

test('outside of a client nothing is asked, and an API fails instead of waiting for ever', async () => {
  const page = openPage(clients.browser)
  const { registerSuite, ww, SuitesignError } = await load()
  const error = await registerSuite(options).catch(e => e)
  expect(error).toBeInstanceOf(SuitesignError)
  expect(error.code).toBe('no_client')
  await expect(ww.scanQRCode()).rejects.toMatchObject({ code: 'no_client' })
  expect(page.asked).toEqual([])
  expect(page.errors()).toEqual([])
  expect(page.warnings().length).toBe(1)
})

test('a missing corpId is a typed error, not an exception', async () => {
  openPage(clients.wecom)
  const { registerSuite } = await load()
  await expect(registerSuite({ ...options, corpId: '' })).rejects.toMatchObject({ code: 'missing_corp_id', status: 0 })
})

test('a refusal of the service reaches the promise, the hook, onError and the API, and is told once', async () => {
  const page = openPage(clients.wecom)
  page.answer = () => problem(403, 'untrusted_domain')
  const { registerSuite, ww } = await load()
  const onError = vi.fn(), onAgentConfigFail = vi.fn()
  const error = await registerSuite({ ...options, onError, onAgentConfigFail }).catch(e => e)
  expect(error).toMatchObject({ name: 'SuitesignError', code: 'untrusted_domain', status: 403, requestId: 'r-1', detail: 'what the service says' })
  expect(error.hint.zh).toContain('信任此页面的域名')
  expect(error.hint.en).toContain('allow_http')
  expect(error.message).toContain(error.hint.en)
  const fail = vi.fn()
  for (let i = 0; i < 20; i++) {
    await expect(ww.scanQRCode({ fail })).rejects.toBe(error)
  }
  expect(fail).toHaveBeenCalledTimes(20)
  expect(fail.mock.calls[0][0].errMsg).toBe(error.message)
  expect(onError.mock.calls).toEqual([[error]])
  expect(onAgentConfigFail).toHaveBeenCalledWith(error)
  expect(page.errors()).toEqual(['[suitesign] ' + error.message + ' [r-1]'])
  expect(page.asked.length).toBe(1) // the SDK asked 21 times
})

test('who ignores the promise has no unhandled rejection', async () => {
  const page = openPage(clients.wecom)
  page.answer = () => problem(404, 'tenant_not_found')
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const { registerSuite } = await load()
  const failed = new Promise(resolve => { registerSuite({ ...options, onError: resolve }) })
  await failed
  await new Promise(resolve => setTimeout(resolve)) // Node tells after the microtasks
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
  expect(page.errors().length).toBe(1)
})

describe('what the client refuses has the hint for it', () => {
  for (const [said, code, hint] of [
    ['agentConfig:invalid signature', undefined, 'refused the signature'],
    ['agentConfig:fail', 40093, 'refused the signature'],
    ['agentConfig:fail', 42012, 'refused the signature'],
    ['agentConfig:fail', 80001, 'WeCom console'],
    ['agentConfig:invalid url domain', undefined, 'WeCom console'],
    ['agentConfig:invalid corpid', 40013, 'corpId must'],
    ['agentConfig:invalid agentid', 40056, 'agentId must'],
    ['agentConfig:fail_something new', undefined, 'in detail']
  ] as const) {
    test(said + ' ' + (code || ''), async () => {
      const page = openPage(clients.wecom)
      page.refuse = { err_msg: said, err_code: code }
      const { registerSuite } = await load()
      const error = await registerSuite(options).catch(e => e)
      expect(error).toMatchObject({ code: 'client_refused', status: 0 })
      expect(error.detail).toMatch(/^agentConfig:/)
      expect(error.hint.en).toContain(hint)
      expect(error.cause.errMsg).toBe(error.detail)
      expect(page.errors().length).toBe(1) // the SDK told its hook, and the promise
    })
  }
})

test('a client that never answers is given up', async () => {
  const page = openPage(clients.wecom)
  page.refuse = 'never'
  const { registerSuite } = await load()
  vi.useFakeTimers()
  const settled = vi.fn()
  const registered = registerSuite(options).catch(settled)
  await vi.advanceTimersByTimeAsync(59_000)
  expect(settled).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(2_000)
  await registered
  expect(settled.mock.calls[0][0]).toMatchObject({ code: 'no_answer' })
})

test('options of a page that signed by itself are not used, and warned of', async () => {
  const page = openPage(clients.wecom)
  const { registerSuite, ww } = await load()
  const own = vi.fn(() => ww.getSignature('TICKET'))
  const old: any = { ...options, getConfigSignature: own, getAgentConfigSignature: own }
  await registerSuite(old)
  await registerSuite(old)
  expect(own).not.toHaveBeenCalled()
  expect(page.warnings().length).toBe(2)
  expect(page.warnings()[0]).toMatch(/getConfigSignature.*call only registerSuite/)
  vi.spyOn(navigator, 'language', 'get').mockReturnValue('zh-CN')
  await registerSuite({ ...options, ticket: 'TICKET' } as any)
  expect(page.warnings()[2]).toMatch(/ticket.*请删除/)
})
