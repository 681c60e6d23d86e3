// A page that signs by itself holds a ticket that everybody who opens it can read.

import { inChinese } from './hints.js'

const said = new Set<string>()

function warn(what: string): void {
  if (said.has(what)) {
    return
  }
  said.add(what)
  console.warn('[suitesign] ' + what + (inChinese()
    ? '：页面里的 jsapi_ticket 人人可读，可被用来冒充企业签名。请删除它和自行签名的代码，只调用 registerSuite（或 configureWx），由 suitesign 签名。'
    : ': whoever opens the page can read its jsapi_ticket and sign as the corp. Remove it and the code that signs: call only registerSuite (or configureWx), and suitesign signs.'))
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
