// A page in a client: the user agent, a WeixinJSBridge that checks registrations as
// the client does, and a signing service behind XMLHttpRequest.
import { onTestFinished, vi } from 'vitest'

export const clients = {
  wecom: 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) wxwork/4.1.36 MicroMessenger/7.0.1',
  weComOld: 'Mozilla/5.0 (Linux; Android 8) wxwork/3.0.20 MicroMessenger/7.0.1',
  wechat: 'Mozilla/5.0 (Linux; Android 13) Mobile MicroMessenger/8.0.42',
  browser: 'Mozilla/5.0 (X11; Linux x86_64) Chrome/140'
}

/** A request as the service sees it. */
export interface Asked {
  address: string
  kind: string
  page: string
  query: { [name: string]: string }
}

export interface Answer {
  status: number
  body?: unknown
  headers?: { [name: string]: string }
}

export interface Page {
  /** What was asked of the service. */
  asked: Asked[]
  /** What the page asked of the client. */
  calls: { name: string, params: any }[]
  /** What the service answers; 'offline' is no answer, 'never' none at all. */
  answer: (asked: Asked) => Answer | 'offline' | 'never' | Promise<Answer>
  /** What was told of registrations that the client refused. */
  reports: any[]
  /** What the service answers to that; unless set it does not take reports. */
  told?: Answer | 'offline'
  /** What the client answers to a registration instead of checking it. */
  refuse?: { err_msg: string, err_code?: number } | 'never'
  warnings: () => string[]
  errors: () => string[]
}

export const ids = { endpoint: 'https://sign.example.com', corpId: 'wwcorp', suiteId: 'wwsuite', agentId: 1000002 }

let made = 0

/** sign answers as suitesign does, with a signature never given before. */
export function sign(asked: Asked): Answer {
  const signature = ('' + ++made).padStart(40, '0')
  issued.set(signature, asked)
  return { status: 200, body: { timestamp: '1414587457', nonceStr: 'n' + made, signature } }
}

const issued = new Map<string, Asked>()

export function problem(status: number, code: string, headers: Answer['headers'] = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: { code, detail: 'what the service says', request_id: 'r-1' }
  }
}

export function openPage(client: string, url = '/start'): Page {
  const page: Page = { asked: [], calls: [], reports: [], answer: sign, warnings: said('warn'), errors: said('error') }
  vi.resetModules()
  history.replaceState(null, '', url)
  vi.stubGlobal('XMLHttpRequest', xhrOf(page))
  Object.defineProperty(navigator, 'userAgent', { value: client, configurable: true })
  Object.defineProperty(navigator, 'platform', { value: 'Linux armv8l', configurable: true })
  if (client !== clients.browser) {
    vi.stubGlobal('WeixinJSBridge', bridgeOf(page, here()))
  }
  onTestFinished(() => {
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
  return page
}

function said(level: 'warn' | 'error'): () => string[] {
  const spy = vi.spyOn(console, level).mockImplementation(() => {})
  return () => spy.mock.calls.map(call => call.join(' '))
}

export function here(): string {
  return location.href.split('#')[0]
}

function xhrOf(page: Page): unknown {
  return class {
    status = 0
    responseText = ''
    timeout = 0
    onload = () => {}
    onerror = () => {}
    ontimeout = () => {}
    private address = ''
    private headers: { [name: string]: string } = {}

    open(method: string, address: string) {
      if (method !== (/\/api\/jssdk\/report$/.test(address) ? 'POST' : 'GET')) {
        throw new Error('not a method of ' + address + ': ' + method)
      }
      this.address = address
    }

    async send(body?: string) {
      const answer = await this.answered(body)
      if (answer === 'never') {
        setTimeout(() => this.ontimeout(), this.timeout)
        return
      }
      if (answer === 'offline') {
        this.onerror()
        return
      }
      this.status = answer.status
      this.headers = answer.headers || {}
      this.responseText = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
      this.onload()
    }

    private answered(body?: string) {
      if (body) {
        page.reports.push(JSON.parse(body))
        return page.told || problem(404, 'not_found')
      }
      const asked = parse(this.address)
      page.asked.push(asked)
      return page.answer(asked)
    }

    getAllResponseHeaders() {
      return Object.keys(this.headers).map(name => name.toLowerCase() + ': ' + this.headers[name] + '\r\n').join('')
    }

    getResponseHeader(name: string) {
      return this.headers[name] || null
    }
  }
}

// parse reads an address as the service does: a parameter that comes twice, or that
// is not known, is refused there.
function parse(address: string): Asked {
  const [path, rest] = address.split('?')
  const query: { [name: string]: string } = {}
  for (const part of rest.split('&')) {
    const [name, value] = part.split('=')
    if (name in query) {
      throw new Error(name + ' comes twice: ' + address)
    }
    query[name] = decodeURIComponent(value)
  }
  const kind = /\/api\/jssdk\/(config|agent)-signature$/.exec(path)![1]
  for (const name of Object.keys(query)) {
    if (!['url', 'suite_id', 'corp_id'].concat(kind === 'agent' ? 'agent_id' : []).includes(name)) {
      throw new Error('unknown parameter ' + name + ': ' + address)
    }
  }
  return { address, kind, page: query.url, query }
}

// The client takes a signature of the right kind, for the URL that the page is at
// (WeChat on a phone: was opened with); other calls need a registration.
function bridgeOf(page: Page, entry: string): unknown {
  const isWeCom = /wxwork/.test(navigator.userAgent)
  let registered = ''
  const answer = (name: string, p: any) => {
    if (name !== 'preVerifyJSAPI' && name !== 'agentConfig') {
      return { err_msg: name + (registered === (isWeCom ? here() : entry) || name === 'checkJsApi' ? ':ok' : ':permission denied') }
    }
    if (page.refuse && page.refuse !== 'never') {
      return page.refuse
    }
    const url = name === 'preVerifyJSAPI' && !isWeCom ? entry : here()
    const asked = issued.get(name === 'agentConfig' ? p.signature : p.verifySignature)
    const list: string[] = (name === 'agentConfig' ? p.jsApiList : p.verifyJsApiList) || []
    const right = asked && asked.page === url && asked.kind === (name === 'agentConfig' ? 'agent' : 'config') &&
      asked.query.corp_id === (p.corpid || p.appId || p.verifyAppId) && (name !== 'agentConfig' || asked.query.agent_id === p.agentid)
    if (!right) {
      return { err_msg: name + ':invalid signature', err_code: 40093 }
    }
    registered = url
    return { err_msg: name + ':ok', checkResult: Object.fromEntries(list.map(api => [api, true])) }
  }
  return {
    invoke(name: string, params: any, done: (result: unknown) => void) {
      page.calls.push({ name, params })
      if (page.refuse === 'never') {
        return
      }
      Promise.resolve().then(() => done(answer(name, params)))
    },
    on() {}
  }
}
