// What <script src="…/sdk/suitesign.js"> makes: window.suitesign. It loads the SDK
// that lies beside it, unless the page has ww already.
//
// Attributes of the tag:
//   data-simulator  the address of wecomsim, for development. Outside WeCom and
//                   WeChat its bridge is loaded before the SDK.

import { inClient } from './client.js'
import { SuitesignError, reporting } from './errors.js'
import { type Registered, type SDK, type SuiteOptions, register } from './register.js'
import { setHome } from './signatures.js'
import { watchTickets } from './tickets.js'

export { SuitesignError } from './errors.js'
export { configureWx } from './wx.js'

const page = window as Window & { ww?: SDK }
const script = document.currentScript as HTMLScriptElement | null
const simulator = script && script.getAttribute('data-simulator') || ''

// The service that this file comes from, https://sign.example.com/sdk/.
const folder = (script ? script.src : '').split(/[?#]/)[0].replace(/[^/]*$/, '')
if (/\/sdk\/$/.test(folder)) {
  setHome(folder.slice(0, -5))
}

let loading: Promise<SDK> | undefined
let watched: SDK | undefined

// At once: in WeChat the SDK signs the URL that it finds when it is loaded.
if (page.ww) {
  watch(page.ww)
} else {
  load().catch(() => {}) // registerSuite tells of it
}

/**
 * Registers the page for the URL that it is at, and resolves with the SDK once the
 * client has accepted it. Call it again whenever the page must be registered: while
 * the registration still holds that costs nothing.
 */
export function registerSuite(options: SuiteOptions): Promise<Registered & { ww: any }> {
  const begin = (ww: SDK) => register(watch(ww), options).then(registered => Object.assign({ ww }, registered))
  return reporting(page.ww ? begin(page.ww) : load().then(begin), options.onError)
}

function load(): Promise<SDK> {
  if (!loading) {
    const bridge = simulator && !inClient() ? add(simulator.replace(/\/+$/, '') + '/sim/bridge.js') : Promise.resolve()
    loading = bridge.then(() => add(folder + 'wecom-jssdk-2.4.4.js')).then(() => watch(page.ww!))
    loading.catch(() => { loading = undefined }) // the next registerSuite tries again
  }
  return loading
}

function add(src: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const element = document.createElement('script')
    element.src = src
    element.onload = () => resolve()
    element.onerror = () => reject(new SuitesignError('sdk_missing', { detail: src }))
    document.head.appendChild(element)
  })
}

function watch(ww: SDK): SDK {
  if (watched !== ww) {
    watched = ww
    watchTickets(ww as any)
  }
  return ww
}
