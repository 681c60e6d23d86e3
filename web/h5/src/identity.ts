import { SuitesignError, report } from './errors.js'

/** Matches the APIs that need the app's identity, whoever owns the app; made of the catalogue by scripts/identity.mjs. */
declare const AGENT_APIS: RegExp

let told = ''

/** checkIdentity tells, before anything is called, of APIs that cannot be called for want of an agentId. */
export function checkIdentity(options: { agentId?: number | string, jsApiList: string[], onError?: (error: SuitesignError) => void }): void {
  const names = '' + options.jsApiList.filter(name => !options.agentId && AGENT_APIS.test(name))
  if (names && names !== told) { // not at each route
    report(new SuitesignError('needs_agent', { detail: told = names }), options.onError)
  }
}
