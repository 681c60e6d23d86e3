import { checksEntryURL, entryURL, inClient, inWeCom, within } from './client.js'
import { cure } from './cure.js'
import { SuitesignError, reporting } from './errors.js'
import { checkIdentity } from './identity.js'
import { type Kind, type Signature, type Suite, sign } from './signatures.js'
import { checkTickets } from './tickets.js'

/** What is used of wx, the older SDK (jweixin). */
export interface Wx {
  config(options: any): void
  ready(done: () => void): void
  error(failed: (result: any) => void): void
  checkJsApi(options: any): void
  agentConfig?(options: any): void
  invoke?(name: string, params: any, done: (result: any) => void): void
}

/** Options of configureWx. */
export interface WxOptions extends Suite {
  /** The APIs that the page calls. */
  jsApiList: string[]
  openTagList?: string[]
  /** wx.config's own debug. */
  debug?: boolean
  /** wx.config's beta, which wx.invoke needs in WeCom; true unless set. */
  beta?: boolean
  onError?: (error: SuitesignError) => void
}

/** A page that is registered. */
export interface Configured {
  /** agent: with the app's identity besides the corp's. */
  identity: 'agent' | 'corp'
  /** The page URL that was registered, without its hash. */
  url: string
}

const configured = new WeakSet<object>()
const moves = 10

/**
 * configureWx does wx.config and then, in WeCom and with an agentId, wx.agentConfig.
 * Both, in the order that every WeCom takes, because jweixin repeats the signature of
 * wx.config in each call. wx.error becomes ours: listen to the promise instead. Call
 * it again when the history API has changed the URL.
 */
export function configureWx(wx: Wx, options: WxOptions): Promise<Configured> {
  checkTickets(options)
  checkIdentity(options)
  return reporting(within(prepare(wx, options), () => new SuitesignError('no_answer')), options.onError)
}

function prepare(wx: Wx, options: WxOptions): Promise<Configured> {
  if (!options.corpId) {
    return Promise.reject(new SuitesignError('missing_corp_id'))
  }
  if (!inClient()) {
    return Promise.reject(new SuitesignError('no_client'))
  }
  const agent = inWeCom() && options.agentId
  return step('config', wx, options, config)
    .then(() => agent ? step('agent', wx, options, agentConfig) : 0)
    .then(() => ({ identity: agent ? 'agent' as const : 'corp' as const, url: here() }))
}

/** One registration, and once more where its refusal could be cured. */
function step(kind: Kind, wx: Wx, options: WxOptions, make: (wx: Wx, options: WxOptions, s: Signature) => Promise<unknown>): Promise<unknown> {
  return signed(kind, options, moves).then(s => make(wx, options, s).catch(
    raw => cure(raw, kind, options).then(() => step(kind, wx, options, make))))
}

function here(): string {
  return location.href.split('#')[0]
}

/** A signature of the URL that the page is at when it has come. */
function signed(kind: Kind, options: WxOptions, left: number): Promise<Signature> {
  const entry = kind === 'config' && checksEntryURL()
  const url = entry ? entryURL : here()
  const moved = () => !entry && url !== here()
  return sign(kind, url, options).then(
    s => moved() && left ? signed(kind, options, left - 1) : s,
    error => moved() && left ? signed(kind, options, left - 1) : Promise.reject(error))
}

function config(wx: Wx, options: WxOptions, s: Signature): Promise<unknown> {
  return new Promise((resolve, reject) => {
    wx.error(reject)
    wx.config(Object.assign({
      beta: options.beta !== false,
      debug: !!options.debug,
      appId: options.corpId,
      jsApiList: options.jsApiList.slice(), // jweixin writes the client's names into it
      openTagList: options.openTagList || []
    }, s))
    if (configured.has(wx)) {
      // wx.ready stays ready from the first time; the client answers in order.
      wx.checkJsApi({ jsApiList: options.jsApiList.slice(), complete: resolve })
    } else {
      configured.add(wx)
      wx.ready(() => resolve(0))
    }
  })
}

function agentConfig(wx: Wx, options: WxOptions, s: Signature): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const params = Object.assign({
      corpid: options.corpId,
      agentid: '' + options.agentId,
      jsApiList: options.jsApiList
    }, s)
    if (wx.agentConfig) {
      wx.agentConfig(Object.assign(params, { success: resolve, fail: reject }))
    } else if (wx.invoke) {
      wx.invoke('agentConfig', params, result => /:ok$/.test(result.err_msg || result.errMsg) ? resolve(result) : reject(result))
    } else {
      reject(new SuitesignError('no_wx'))
    }
  })
}
