import { createRequire } from 'node:module'

import { describe, expect, test, vi } from 'vitest'

import { clients, here, ids, openPage, problem, sign } from './page'

const options = { ...ids, jsApiList: ['scanQRCode', 'getLocation'] }

/** jweixin itself, loaded afresh: it reads the client when it is loaded. */
function jweixin(): any {
  const require = createRequire(import.meta.url)
  const path = require.resolve('weixin-js-sdk')
  delete require.cache[path]
  delete (window as any).jWeixin
  delete (window as any).wx
  return require(path)
}

async function configure() {
  return (await import('../src/index')).configureWx
}

describe('configureWx over jweixin', () => {
  test('in WeCom: config, then agentConfig, each with its own signature', async () => {
    const page = openPage(clients.wecom, '/orders?id=7#/detail')
    const wx = jweixin()
    const configureWx = await configure()
    expect(await configureWx(wx, options)).toEqual({ identity: 'agent', url: 'https://h5.example.com/orders?id=7' })
    expect(page.asked.map(a => a.kind)).toEqual(['config', 'agent'])
    expect(page.asked[1].query).toEqual({ suite_id: 'wwsuite', corp_id: 'wwcorp', agent_id: '1000002', url: 'https://h5.example.com/orders?id=7' })
    const [config, agentConfig] = page.calls.filter(c => /Verify|agent/.test(c.name))
    expect(config.params).toMatchObject({ appId: 'wwcorp', verifyJsApiList: ['scanQRCode', 'geoLocation'], verifySignType: 'sha1' })
    expect(agentConfig.params).toMatchObject({ corpid: 'wwcorp', agentid: '1000002', jsApiList: ['scanQRCode', 'getLocation'] })
    expect(options.jsApiList).toEqual(['scanQRCode', 'getLocation']) // jweixin changes the list that it is given
    expect(page.errors()).toEqual([])
  })

  test('without an app and in WeChat: config only', async () => {
    for (const [client, agentId] of [[clients.wecom, undefined], [clients.wechat, 1000002]] as const) {
      const page = openPage(client)
      const wx = jweixin()
      const configureWx = await configure()
      expect((await configureWx(wx, { ...options, agentId })).identity).toBe('corp')
      expect(page.asked.map(a => a.kind)).toEqual(['config'])
    }
  })

  test('again after a history route: the new URL', async () => {
    const page = openPage(clients.wecom)
    const wx = jweixin()
    const configureWx = await configure()
    await configureWx(wx, options)
    for (const route of ['/b?x=1', '/c/']) {
      history.pushState(null, '', route)
      expect((await configureWx(wx, options)).url).toBe(here())
      expect(page.asked.slice(-2).map(a => [a.kind, a.page])).toEqual([['config', here()], ['agent', here()]])
    }
    page.refuse = { err_msg: 'preVerifyJSAPI:invalid signature' }
    history.pushState(null, '', '/d')
    // By wx.ready alone this would be a success: it stays ready from the first time.
    await expect(configureWx(wx, { ...options, agentId: undefined })).rejects.toMatchObject({ code: 'client_refused' })
  })

  test('in WeChat on a phone: the URL that the page was opened with', async () => {
    const page = openPage(clients.wechat, '/entry')
    const wx = jweixin()
    const configureWx = await configure()
    history.pushState(null, '', '/later')
    await configureWx(wx, options)
    expect(page.asked.map(a => a.page)).toEqual(['https://h5.example.com/entry'])
  })

  test('a router that moves on while a signature is under way: the new URL is signed', async () => {
    const page = openPage(clients.wecom, '/')
    page.answer = asked => {
      if (page.asked.length === 1) {
        history.replaceState(null, '', '/home')
      }
      return sign(asked)
    }
    const wx = jweixin()
    const configureWx = await configure()
    expect((await configureWx(wx, options)).url).toBe('https://h5.example.com/home')
    expect(page.asked.map(a => a.page.slice(22))).toEqual(['/', '/home', '/home'])
  })

  test('tells what the service or the client refuses', async () => {
    const page = openPage(clients.wecom)
    const wx = jweixin()
    const configureWx = await configure()
    page.answer = () => problem(403, 'tenant_inactive')
    const onError = vi.fn()
    await expect(configureWx(wx, { ...options, onError })).rejects.toMatchObject({ code: 'tenant_inactive', status: 403, requestId: 'r-1' })
    expect(onError).toHaveBeenCalledTimes(1)
    expect(page.calls).toEqual([]) // nothing is configured without a signature

    page.answer = sign
    page.refuse = { err_msg: 'preVerifyJSAPI:fail_invalid url domain' }
    const error = await configureWx(wx, { ...options, corpId: 'wwother' }).catch(e => e)
    expect(error.code).toBe('client_refused')
    expect(error.hint.en).toContain('WeCom console')
  })

  test('needs a client and a corpId', async () => {
    const page = openPage(clients.browser)
    const configureWx = await configure()
    await expect(configureWx(jweixin(), options)).rejects.toMatchObject({ code: 'no_client' })
    await expect(configureWx(jweixin(), { ...options, corpId: '' })).rejects.toMatchObject({ code: 'missing_corp_id' })
    expect(page.asked).toEqual([])
  })
})

test("wx.agentConfig is used where wx has it, as jwxwork's does", async () => {
  const page = openPage(clients.wecom)
  const wx = jweixin()
  wx.agentConfig = vi.fn(p => p.signature === 'no' ? p.fail({}) : p.success({ errMsg: 'agentConfig:ok' }))
  const configureWx = await configure()
  await configureWx(wx, options)
  expect(wx.agentConfig).toHaveBeenCalledTimes(1)
  expect(wx.agentConfig.mock.calls[0][0]).toMatchObject({ corpid: 'wwcorp', agentid: '1000002', timestamp: '1414587457' })
  expect(page.calls.filter(c => c.name === 'agentConfig')).toEqual([])

  wx.agentConfig = (p: any) => p.fail({ errMsg: 'agentConfig:fail', errCode: 80001 })
  const error = await configureWx(wx, options).catch(e => e)
  expect(error.hint.en).toContain('WeCom console')
})

test('a wx that cannot do agentConfig is told so', async () => {
  openPage(clients.wecom)
  const configureWx = await configure()
  const wx = { config() {}, ready(done: () => void) { done() }, error() {}, checkJsApi() {} }
  await expect(configureWx(wx, options)).rejects.toMatchObject({ code: 'no_wx' })
})

test('a ticket among the options is warned of', async () => {
  const page = openPage(clients.wecom)
  const configureWx = await configure()
  await configureWx(jweixin(), { ...options, jsapi_ticket: 'TICKET' } as any)
  expect(page.warnings()[0]).toMatch(/jsapi_ticket.*configureWx/)
})
