// A registration that the client refused is told to the service, which knows the
// tickets: it may have the refused one fetched again, and says when to try again.

import { refusal } from './errors.js'
import { type Kind, type Suite, base, idsOf, now, request, signed } from './signatures.js'

/** How long a page does not tell the same again, in milliseconds. */
const apart = 600000
/** How many are told of the refusals that no new ticket can cure: for statistics. */
const sample = 0.1

const next: { [kind: string]: number } = {}
const cures = new WeakMap<object, Promise<unknown>>()

/**
 * cure resolves when it is time to register again, and rejects with what was refused
 * where that would not help. Asked again about the same it answers the same; without
 * a suite it does nothing but that.
 */
export function cure(raw: unknown, kind?: Kind, suite?: Suite): Promise<unknown> {
  const known = cures.get(Object(raw)) || tell(raw, kind!, suite).then(
    answer => answer.retry_after ? new Promise(done => setTimeout(done, answer.retry_after * 1000)) : Promise.reject(raw),
    () => Promise.reject(raw))
  cures.set(Object(raw), known)
  return known
}

function tell(raw: any, kind: Kind, suite?: Suite): Promise<any> {
  const { said, code, hint } = refusal(raw)
  const last = signed[kind]
  if (!suite || suite.report === false || !said || !last || now() < next[kind] || hint !== 'client_signature' && Math.random() > sample) {
    return Promise.reject(raw)
  }
  next[kind] = now() + apart
  return request(base(suite) + 'report', last.url, JSON.stringify(Object.assign({
    kind: kind === 'agent' ? 'agent_config' : kind,
    errMsg: said,
    errCode: code
  }, idsOf(kind, suite), last)))
}
