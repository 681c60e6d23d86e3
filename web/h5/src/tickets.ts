// A page that signs by itself holds a ticket that everybody who opens it can read.

import { inChinese } from './client.js'

const said = new Set<string>()

function warn(what: string): void {
  if (said.has(what)) {
    return
  }
  said.add(what)
  console.warn('[suitesign] ' + what + (inChinese()
    ? '：人人都能借此冒充企业签名。请删除它，只调用 registerSuite（或 configureWx）。'
    : ': whoever opens the page can sign as the corp. Remove it: call only registerSuite (or configureWx).'))
}

/** watchTickets warns when somebody signs with ww.getSignature. */
export function watchTickets(ww: { getSignature?: (...args: any[]) => unknown }): void {
  const original = ww.getSignature
  if (typeof original === 'function') {
    ww.getSignature = function (...args: unknown[]) {
      warn('ww.getSignature')
      return original.apply(this, args)
    }
  }
}

/** checkTickets warns of options that stem from a page that signed by itself. */
export function checkTickets(options: object): void {
  ['ticket', 'jsapi_ticket', 'jsapiTicket', 'getConfigSignature', 'getAgentConfigSignature'].forEach(name => {
    if (name in options) {
      warn(name)
    }
  })
}
