import { SuitesignError } from './errors.js'

/** Whose page it is, and where it is signed. */
export interface Suite {
  /**
   * The address of suitesign, for example https://sign.example.com. Left out: where
   * suitesign.js was loaded from; with a bundler, the page's own origin.
   */
  endpoint?: string
  /** The corp that uses the page. */
  corpId: string
  /** The suite; may be left out where the page's host leaves only one. */
  suiteId?: string
  /** The app in the corp. Without it the page registers with the corp's identity only. */
  agentId?: number | string
  /**
   * Whether the service is told of registrations that the client refused (true unless
   * false is set): it then has a revoked ticket fetched again, and the page registers again.
   */
  report?: boolean
}

/** The signature of one page URL. */
export interface Signature {
  timestamp: string
  nonceStr: string
  signature: string
}

export type Kind = 'config' | 'agent'

/** How long one request may take. */
const requestTimeout = 8000
/** How often one question is asked before it is given up. */
const attempts = 3
/** How long a question waits for a pause to end; with a longer one it is given up. */
const patience = 6
/** Seconds of pause after the first, second, … failure in a row. */
const pauses = [1, 2, 4, 8, 15, 30, 60]

/**
 * What went wrong last with one kind of signature of one app. The SDK asks again at
 * every API call of a page that is not registered; until the pause is over it is
 * given the last error instead of a request.
 */
interface Trouble {
  failures: number
  until: number
  error: SuitesignError
  url?: string // only this URL is refused; absent: the service is in trouble
}

const troubles = new Map<string, Trouble>()
const asking = new Map<string, Promise<Signature>>()

/** What was signed last, with its URL. */
export const signed: { [kind in Kind]?: Signature & { url: string } } = {}

let home = ''

/** setHome names the endpoint of pages that name none. */
export function setHome(endpoint: string): void {
  home = endpoint
}

/** base is where a suite's page asks. */
export function base(suite: Suite): string {
  return (suite.endpoint || home).replace(/\/+$/, '') + '/api/jssdk/'
}

/** idsOf are a suite's, as the service calls them. */
export function idsOf(kind: Kind, suite: Suite): { [name: string]: number | string | undefined } {
  return { suite_id: suite.suiteId, corp_id: suite.corpId, agent_id: kind === 'agent' ? suite.agentId : '' }
}

/** sign fetches a signature of url. Whoever asks for the same meanwhile shares the request. */
export function sign(kind: Kind, url: string, suite: Suite): Promise<Signature> {
  url = url.split('#')[0]
  const ids = idsOf(kind, suite)
  const lane = base(suite) + kind + '-signature?' +
    Object.keys(ids).filter(name => ids[name]).map(name => name + '=' + encodeURIComponent('' + ids[name]) + '&').join('') + 'url='
  const address = lane + encodeURIComponent(url)
  let answer = asking.get(address)
  if (!answer) {
    const done = () => { asking.delete(address) }
    answer = ask(lane, address, url, attempts).then(signature => {
      signed[kind] = Object.assign({ url }, signature)
      return signature
    })
    asking.set(address, answer)
    answer.then(done, done)
  }
  return answer
}

function ask(lane: string, address: string, url: string, left: number): Promise<Signature> {
  const trouble = troubles.get(lane)
  const wait = trouble && (!trouble.url || trouble.url === url) ? trouble.until - now() : 0
  if (trouble && wait > 0) {
    if (trouble.url || wait > patience * 1200 || !left) { // 1.2: the jitter below
      return Promise.reject(trouble.error)
    }
    return new Promise(resolve => setTimeout(resolve, wait)).then(() => ask(lane, address, url, left))
  }
  return request(address, url).then(signature => {
    troubles.delete(lane)
    return signature
  }, (error: SuitesignError) => {
    const passing = error.code === 'unreachable' || error.status === 408 || error.status === 429 || error.status > 499
    const before = troubles.get(lane)
    const failures = before ? before.failures + 1 : 1
    const pause = Math.max(error.retryAfter, pauses[Math.min(failures, pauses.length) - 1])
    troubles.set(lane, { failures, error, until: now() + pause * 1000 * (1 + Math.random() / 5), url: passing ? undefined : url })
    return passing ? ask(lane, address, url, left - 1) : Promise.reject(error)
  })
}

export function now(): number {
  return performance.now() // does not jump when the clock is set
}

// Pages that are never signed: files, IP addresses, names without a dot. The service
// says so, but CORS does not let such a page read it.
const unsignable = /^(?!https?:)|^\w+:\/\/([\d.]+|\[.*|[^./:?]+)([:/?]|$)/

/** request asks for a signature of url, or tells of it. XMLHttpRequest, because it has a time limit in every WebView. */
export function request(address: string, url: string, told?: string): Promise<any> {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest()
    const fail = (code: string, more?: object) => reject(new SuitesignError(code, Object.assign({
      status: xhr.status, requestId: header('X-Request-Id'), retryAfter: seconds(header('Retry-After'))
    }, more)))
    // Asking for a header that CORS does not show writes an error to the console.
    const header = (name: string) => new RegExp('^' + name + ':', 'im').test(xhr.getAllResponseHeaders() || '') && xhr.getResponseHeader(name) || ''
    xhr.open(told ? 'POST' : 'GET', address)
    xhr.timeout = requestTimeout
    xhr.onerror = xhr.ontimeout = xhr.onabort = () => fail(unsignable.test(url) ? 'invalid_url' : 'unreachable')
    xhr.onload = () => {
      let body
      try {
        body = JSON.parse(xhr.responseText)
      } catch (_) {
        body = 0 // not suitesign
      }
      body = body || {}
      if (xhr.status === 200 && body.signature && body.nonceStr && body.timestamp) {
        resolve({ timestamp: '' + body.timestamp, nonceStr: body.nonceStr, signature: body.signature })
      } else if (told) {
        resolve(body)
      } else if (xhr.status !== 200 && body.code) {
        fail(body.code, { detail: body.detail, requestId: body.request_id })
      } else { // a proxy's own answer, or another service
        fail(xhr.status > 499 ? 'unreachable' : xhr.status === 429 ? 'rate_limited' : 'bad_answer')
      }
    }
    xhr.send(told)
  })
}

/** Retry-After is a number of seconds or a date. */
function seconds(value: string): number {
  return Math.max(0, +value || (Date.parse(value) - Date.now()) / 1000 || 0)
}
