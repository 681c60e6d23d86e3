import { describe, expect, test, vi } from 'vitest'

import { type Answer, type Page, clients, ids, openPage, problem, sign as answer } from './page'

const url = 'https://h5.example.com/start'

async function service(): Promise<{ page: Page, sign: typeof import('../src/signatures').sign, setHome: (endpoint: string) => void }> {
  const page = openPage(clients.wecom)
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0) // no jitter, unless a test wants it
  return { page, ...await import('../src/signatures') }
}

/** settled runs timers until the promise settles, and tells how and after how long. */
async function settled(promise: Promise<unknown>): Promise<{ value?: any, error?: any, seconds: number }> {
  const start = Date.now()
  const outcome = promise.then(value => ({ value }), error => ({ error }))
  let done: object | undefined
  outcome.then(o => { done = o })
  await vi.advanceTimersByTimeAsync(0)
  while (!done) {
    await vi.advanceTimersByTimeAsync(100)
  }
  return { ...done, seconds: Math.round((Date.now() - start) / 1000) }
}

describe('the request', () => {
  test('names the URL exactly, encoded once, without its hash', async () => {
    const { page, sign } = await service()
    for (const href of [
      'https://h5.example.com/a?x=%E4%BD%A0&y=a+b&z=%26%3D',
      'https://h5.example.com/?code=1&state=https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d%3De%23f',
      'https://h5.example.com/trailing/',
      "https://h5.example.com/a%20b?d='e'&f=(g)!*~"
    ]) {
      await sign('agent', href + '#/route?with=query', ids)
      const asked = page.asked[page.asked.length - 1]
      expect(asked.page).toBe(href)
      expect(asked.address.endsWith('url=' + encodeURIComponent(href))).toBe(true)
    }
  })

  test('goes to the endpoint, however that is written', async () => {
    const { page, sign, setHome } = await service()
    for (const [endpoint, want] of [
      ['https://sign.example.com', 'https://sign.example.com/api/jssdk/'],
      ['https://sign.example.com/', 'https://sign.example.com/api/jssdk/'],
      ['https://example.com/sign//', 'https://example.com/sign/api/jssdk/'],
      [undefined, '/api/jssdk/'],
      ['', '/api/jssdk/']
    ]) {
      await sign('config', url, { ...ids, endpoint })
      expect(page.asked[page.asked.length - 1].address.split('config-')[0]).toBe(want)
    }
    setHome('https://home.example.com')
    await sign('config', url, { ...ids, endpoint: undefined })
    expect(page.asked[page.asked.length - 1].address).toMatch(/^https:\/\/home\.example\.com\/api\//)
  })

  test('names only what is known', async () => {
    const { page, sign } = await service()
    await sign('agent', url, { corpId: 'ww c&d', agentId: '7' })
    await sign('config', url, { corpId: 'wwcorp', agentId: 7 })
    expect(page.asked.map(a => a.query)).toEqual([{ corp_id: 'ww c&d', agent_id: '7', url }, { corp_id: 'wwcorp', url }])
  })
})

describe('who asks', () => {
  test('for the same at the same time shares one request', async () => {
    const { page, sign } = await service()
    const answers = await Promise.all([...Array(50)].map(() => sign('agent', url, ids)))
    expect(page.asked.length).toBe(1)
    expect(new Set(answers).size).toBe(1)
  })

  test('for another URL, kind or app has a request of its own', async () => {
    const { page, sign } = await service()
    await Promise.all([sign('agent', url, ids), sign('config', url, ids), sign('agent', url + '?a', ids), sign('agent', url, { ...ids, agentId: 1 })])
    expect(page.asked.length).toBe(4)
  })

  test('for the same again has a new signature: nothing is kept', async () => {
    const { page, sign } = await service()
    const first = await sign('agent', url, ids)
    const second = await sign('agent', url, ids)
    expect(page.asked.length).toBe(2)
    expect(second.signature).not.toBe(first.signature)
  })
})

describe('an answer that is no signature', () => {
  for (const [name, given, want] of [
    ['a problem', problem(403, 'origin_mismatch'), { code: 'origin_mismatch', status: 403, requestId: 'r-1', detail: 'what the service says' }],
    ['a code of a later version', problem(418, 'brand_new'), { code: 'brand_new', status: 418, hint: { zh: 'what the service says', en: 'what the service says' } }],
    ["a gateway's page", { status: 502, body: '<html>', headers: { 'X-Request-Id': 'proxy-1' } }, { code: 'unreachable', status: 502, requestId: 'proxy-1' }],
    ["a gateway's limit", { status: 429, body: '', headers: { 'Retry-After': '60' } }, { code: 'rate_limited', status: 429, retryAfter: 60 }],
    ["a dev server's page", { status: 200, body: '<!doctype html>' }, { code: 'bad_answer', status: 200 }],
    ['null', { status: 200, body: null }, { code: 'bad_answer', status: 200 }],
    ['half a signature', { status: 200, body: { signature: 'a', nonceStr: 'b' } }, { code: 'bad_answer', status: 200 }],
    ['not found', { status: 404, body: 'not found' }, { code: 'bad_answer', status: 404 }],
    ['a problem with status 200', { status: 200, body: { code: 'untrusted_domain' } }, { code: 'bad_answer', status: 200 }],
    ['no network', 'offline', { code: 'unreachable', status: 0, requestId: '' }],
    ['no answer in time', 'never', { code: 'unreachable', status: 0 }]
  ] as [string, Answer | 'offline' | 'never', object][]) {
    test(name, async () => {
      const { page, sign } = await service()
      page.answer = () => given
      const { error } = await settled(sign('agent', url, ids))
      expect(error).toMatchObject(want)
      expect(error.name).toBe('SuitesignError')
    })
  }

  // The service refuses them, and CORS hides its answer.
  for (const href of ['http://localhost/', 'http://localhost:3000/a.b?c', 'http://127.0.0.1:3000/', 'http://10.0.0.5', 'http://[::1]:3000/', 'https://intranet?x=a.b', 'file:///home/a/index.html']) {
    test('a page that cannot be signed: ' + href, async () => {
      const { page, sign } = await service()
      page.answer = () => 'offline'
      const { error } = await settled(sign('agent', href, ids))
      expect([error.code, page.asked.length]).toEqual(['invalid_url', 1])
    })
  }

  test('a page that can be signed, without network', async () => {
    for (const href of ['http://h5.localhost:3000/', 'https://a.b/', 'https://1.2.3.4.example.com/', 'https://a.b?c']) {
      const { page, sign } = await service()
      page.answer = () => 'offline'
      expect((await settled(sign('agent', href, ids))).error.code).toBe('unreachable')
    }
  })

  test('a number as timestamp is the same text', async () => {
    const { page, sign } = await service()
    page.answer = () => ({ status: 200, body: { timestamp: 1414587457, nonceStr: 'n', signature: 's' } })
    expect((await sign('agent', url, ids)).timestamp).toBe('1414587457')
  })
})

describe('after a failure', () => {
  test('that passes, it asks again, three times, and gives up', async () => {
    const { page, sign } = await service()
    page.answer = () => problem(503, 'starting')
    const { error, seconds } = await settled(sign('agent', url, ids))
    expect(error.code).toBe('starting')
    expect(page.asked.length).toBe(3)
    expect(seconds).toBe(1 + 2)
  })

  test('that has passed at the second try, nobody notices', async () => {
    const { page, sign } = await service()
    page.answer = asked => page.asked.length < 2 ? 'offline' : answer(asked)
    const { value } = await settled(sign('agent', url, ids))
    expect(value.signature).toBeTruthy()
    expect(page.asked.length).toBe(2)
  })

  test('that stays, a page that calls on and on costs ever fewer requests', async () => {
    const { page, sign } = await service()
    page.answer = () => problem(500, 'internal')
    const times: number[] = []
    const start = Date.now()
    const seen = () => { while (times.length < page.asked.length) { times.push(Math.round((Date.now() - start) / 1000)) } }
    while (Date.now() < start + 299_000) { // the SDK asks at every API call; here ten times a second
      sign('agent', url, ids).catch(() => {})
      await vi.advanceTimersByTimeAsync(100)
      seen()
    }
    expect(times).toEqual([0, 1, 3, 7, 15, 30, 60, 120, 180, 240])
  })

  test('during the pause the last error is given at once', async () => {
    const { page, sign } = await service()
    page.answer = () => problem(503, 'database_unavailable', { 'Retry-After': '30' })
    const first = await settled(sign('agent', url, ids))
    expect(first.seconds).toBe(0) // nobody waits for half a minute
    const second = await settled(sign('agent', url + '?other', ids))
    expect(second.seconds).toBe(0)
    expect(second.error).toBe(first.error)
    expect(page.asked.length).toBe(1)
  })

  for (const [name, header] of [['seconds', () => '20'], ['a date', () => new Date(Date.now() + 20_000).toUTCString()]] as const) {
    test('Retry-After is honoured: ' + name, async () => {
      const { page, sign } = await service()
      vi.setSystemTime(1_700_000_000_000)
      page.answer = () => problem(429, 'rate_limited', { 'Retry-After': header() })
      const { error } = await settled(sign('agent', url, ids))
      expect(error.retryAfter).toBe(20)
      await vi.advanceTimersByTimeAsync(12_000)
      expect((await settled(sign('agent', url, ids))).error).toBe(error)
      await vi.advanceTimersByTimeAsync(5_000)
      page.answer = answer
      const { value, seconds } = await settled(sign('agent', url, ids)) // three seconds are waited for
      expect(value.signature).toBeTruthy()
      expect([page.asked.length, seconds]).toEqual([2, 3])
    })
  }

  test('a short Retry-After is waited for', async () => {
    const { page, sign } = await service()
    page.answer = asked => page.asked.length < 2 ? problem(503, 'ticket_unavailable', { 'Retry-After': '5' }) : answer(asked)
    const { value, seconds } = await settled(sign('agent', url, ids))
    expect(value.signature).toBeTruthy()
    expect(seconds).toBe(5)
  })

  test('pages do not come back all at once', async () => {
    const { page, sign } = await service()
    vi.mocked(Math.random).mockReturnValue(0.999)
    page.answer = asked => page.asked.length < 2 ? problem(503, 'ticket_unavailable', { 'Retry-After': '5' }) : answer(asked)
    expect((await settled(sign('agent', url, ids))).seconds).toBe(6)
  })

  test('that will not pass, it asks once; another URL is asked for at once', async () => {
    const { page, sign } = await service()
    page.answer = asked => asked.page === url ? problem(403, 'untrusted_domain') : answer(asked)
    const { error, seconds } = await settled(sign('agent', url, ids))
    expect([error.code, seconds, page.asked.length]).toEqual(['untrusted_domain', 0, 1])
    expect((await settled(sign('agent', url, ids))).error).toBe(error)
    expect(page.asked.length).toBe(1)
    expect((await settled(sign('agent', url + '?other', ids))).value.signature).toBeTruthy()
  })

  test('the other kind of signature is not held back', async () => {
    const { page, sign } = await service()
    page.answer = asked => asked.kind === 'agent' ? problem(404, 'agent_not_found') : answer(asked)
    await settled(sign('agent', url, ids))
    expect((await settled(sign('config', url, ids))).value.signature).toBeTruthy()
  })

  test('a success ends the matter: the next failure begins with the short pause', async () => {
    const { page, sign } = await service()
    page.answer = () => problem(500, 'internal')
    await settled(sign('agent', url, ids))
    page.answer = answer
    await vi.advanceTimersByTimeAsync(60_000)
    await settled(sign('agent', url, ids))
    const before = page.asked.length
    page.answer = asked => page.asked.length === before + 1 ? 'offline' : answer(asked)
    expect((await settled(sign('agent', url, ids))).seconds).toBe(1)
  })
})
