import { expect, onTestFinished, test, vi } from 'vitest'

import { clients, ids, openPage } from './page'

const options = { corpId: ids.corpId, suiteId: ids.suiteId, agentId: ids.agentId, jsApiList: ['getContext'] }

/** Runs suitesign.js as the tag that is given; scripts that it adds come from files. */
async function run(tag: { src: string, 'data-simulator'?: string }, files: { [src: string]: () => unknown }) {
  const element = document.createElement('script')
  for (const [name, value] of Object.entries(tag)) {
    element.setAttribute(name, value)
  }
  const added: string[] = []
  Object.defineProperty(document, 'currentScript', { value: element, configurable: true })
  vi.spyOn(document.head, 'appendChild').mockImplementation((node: any) => {
    added.push(node.src)
    Promise.resolve(files[node.src]?.()).then(() => node.src in files ? node.onload() : node.onerror())
    return node
  })
  onTestFinished(() => { delete (window as any).ww })
  const suitesign = await import('../src/script')
  return { suitesign, added }
}

/** What the SDK's own script does: a global with properties that can be set. */
async function sdk() {
  (window as any).ww = { ...await import('@wecom/jssdk') }
}

const home = 'https://sign.example.com/sdk/'

test('one tag and one call: it loads the SDK beside it, and signs where it came from', async () => {
  const page = openPage(clients.wecom)
  const { suitesign, added } = await run({ src: home + 'suitesign.js?v=1' }, { [home + 'wecom-jssdk-2.4.4.js']: sdk })
  const { ww, identity } = await suitesign.registerSuite(options)
  expect(identity).toBe('agent')
  expect((await ww.getContext()).errMsg).toBe('getContext:ok')
  await suitesign.registerSuite(options)
  expect(added).toEqual([home + 'wecom-jssdk-2.4.4.js'])
  expect(page.asked.length).toBe(1)
  expect(page.asked[0].address).toMatch(/^https:\/\/sign\.example\.com\/api\/jssdk\/agent-signature/)
})

test('an SDK that the page has is used, and endpoint comes first', async () => {
  const page = openPage(clients.wecom)
  await sdk()
  const { suitesign, added } = await run({ src: home + 'suitesign.js' }, {})
  const registered = suitesign.registerSuite({ ...options, endpoint: 'https://other.example.com' })
  expect((await (window as any).ww.getContext()).errMsg).toBe('getContext:ok') // at once, as with ww.register
  await registered
  expect(added).toEqual([])
  expect(page.asked[0].address).toMatch(/^https:\/\/other\.example\.com\/api/)
})

test('in an ordinary browser the simulator comes first, where the tag names one', async () => {
  const page = openPage(clients.browser)
  const bridge = () => { Object.defineProperty(navigator, 'userAgent', { value: clients.wecom, configurable: true }) }
  const { suitesign, added } = await run({ src: home + 'suitesign.js', 'data-simulator': 'http://127.0.0.1:8090/' },
    { 'http://127.0.0.1:8090/sim/bridge.js': bridge, [home + 'wecom-jssdk-2.4.4.js']: sdk })
  suitesign.registerSuite(options)
  await vi.waitFor(() => expect(page.asked.length).toBe(1))
  expect(added).toEqual(['http://127.0.0.1:8090/sim/bridge.js', home + 'wecom-jssdk-2.4.4.js'])
})

test('in a client the simulator is not loaded', async () => {
  openPage(clients.wechat)
  const { suitesign, added } = await run({ src: home + 'suitesign.js', 'data-simulator': 'http://127.0.0.1:8090' }, { [home + 'wecom-jssdk-2.4.4.js']: sdk })
  await suitesign.registerSuite(options)
  expect(added).toEqual([home + 'wecom-jssdk-2.4.4.js'])
})

test('in WeChat a router that was faster than the SDK changes nothing: the URL that the page was opened with is signed', async () => {
  const page = openPage(clients.wechat, '/entry')
  const late = async () => {
    history.replaceState(null, '', '/home')
    await sdk()
  }
  const { suitesign } = await run({ src: home + 'suitesign.js' }, { [home + 'wecom-jssdk-2.4.4.js']: late })
  await suitesign.registerSuite(options)
  expect(page.asked.map(a => a.page)).toEqual(['https://h5.example.com/entry'])
})

test('an SDK that cannot be loaded is a typed error, and is tried again', async () => {
  const page = openPage(clients.wecom)
  const files: { [src: string]: () => unknown } = {}
  const { suitesign } = await run({ src: home + 'suitesign.js' }, files)
  const onError = vi.fn()
  const error = await suitesign.registerSuite({ ...options, onError }).catch(e => e)
  expect(error).toMatchObject({ name: 'SuitesignError', code: 'sdk_missing', detail: home + 'wecom-jssdk-2.4.4.js' })
  expect(onError.mock.calls).toEqual([[error]])
  expect(page.errors().length).toBe(1)
  files[home + 'wecom-jssdk-2.4.4.js'] = sdk
  expect((await suitesign.registerSuite(options)).identity).toBe('agent')
})

test('ww.getSignature still signs, and is warned of with what to do instead', async () => {
  const page = openPage(clients.wecom)
  const { suitesign } = await run({ src: home + 'suitesign.js' }, { [home + 'wecom-jssdk-2.4.4.js']: sdk })
  const { ww } = await suitesign.registerSuite(options)
  expect(page.warnings()).toEqual([])
  const signed = ww.getSignature({ ticket: 'T1', nonceStr: 'N1', timestamp: 1700000000, url: 'https://a.example.com/' })
  expect(signed.signature).toBe('ebe7e3e4a806c5a45bf3c9252870ee4a6e9bba80')
  ww.getSignature('T1')
  expect(page.warnings().length).toBe(1)
  expect(page.warnings()[0]).toMatch(/ww\.getSignature.*Remove it.*registerSuite/)
})
