import { inChinese } from './client.js'
import { type Hint, hintFor } from './hints.js'

/** What else is known of an error. */
interface Facts {
  status?: number
  requestId?: string
  detail?: string
  retryAfter?: number
  cause?: unknown
}

/** Why a page is not registered, and what to do. */
export class SuitesignError extends Error {
  /** Stable; act on it. The codes stand in docs/h5.md. */
  readonly code: string
  /** What to do, in Chinese and in English. */
  readonly hint: Hint
  /** The HTTP status of the service's answer; 0 where there was none. */
  readonly status: number
  /** Names the request in the service's log; empty where no answer came. */
  readonly requestId: string
  /** What the service said, in the language of the browser; may be empty. */
  readonly detail: string
  /** After how many seconds the service wants to be asked again; 0 where it does not say. */
  readonly retryAfter: number
  /** What the SDK or the client said, where the error is theirs. */
  readonly cause: unknown
  /** The same as message, where code made for the SDK looks for it. */
  readonly errMsg: string

  constructor(code: string, facts: Facts = {}, hint: Hint = hintFor(code, facts.detail)) {
    const detail = facts.detail || ''
    super(code + ': ' + (inChinese() ? hint.zh : hint.en) + (detail && detail !== hint.zh ? ' (' + detail + ')' : ''))
    this.name = 'SuitesignError'
    this.code = code
    this.hint = hint
    this.detail = detail
    this.status = facts.status || 0
    this.requestId = facts.requestId || ''
    this.retryAfter = facts.retryAfter || 0
    this.cause = facts.cause
    this.errMsg = this.message
  }
}

// What clients say, by errcode or in words, and the hint for it.
const refusals: [RegExp, string][] = [
  [/40093|42012|signature/i, 'client_signature'],
  [/80001|40048|domain/i, 'client_domain'],
  [/40013|corp_?id|app_?id/i, 'client_corp'],
  [/40056|agent_?id/i, 'client_agent']
]

const known = new WeakMap<object, SuitesignError>()

/** Whether the SDK gave a registration up because the page's URL changed. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && /Aborted$/.test(error.message)
}

// The same error for the same failure: the SDK hands it to a hook and to every caller.
function typed(raw: any): SuitesignError {
  if (raw instanceof SuitesignError) {
    return raw
  }
  const key: object = Object(raw)
  let error = known.get(key)
  if (!error) {
    error = make(raw)
    known.set(key, error)
  }
  return error
}

/** What a client said, and which hint is for it; without a word it was not a client. */
export function refusal(raw: any): { said?: string, code?: number, hint: string } {
  const said = raw && !(raw instanceof SuitesignError) && (raw.errMsg || raw.err_msg)
  const code = raw && (raw.errCode || raw.err_code)
  const cause = refusals.filter(r => r[0].test(said + ' ' + (code || '')))[0]
  return { said, code, hint: cause ? cause[1] : 'client_refused' }
}

function make(raw: any): SuitesignError {
  if (isAbort(raw)) {
    return new SuitesignError('page_changed', { cause: raw })
  }
  const { said, hint } = refusal(raw)
  if (!said) {
    return new SuitesignError('sdk_error', { detail: String(raw && raw.message || raw), cause: raw })
  }
  return new SuitesignError('client_refused', { detail: said, cause: raw }, hintFor(hint))
}

const reported = new WeakSet<object>()

/** Tells the page and its console of a failure, once, and makes a typed error of it. */
export function report(raw: unknown, tell?: (error: SuitesignError) => void): SuitesignError {
  const error = typed(raw)
  if (!reported.has(error)) {
    reported.add(error)
    // An ordinary browser is where pages are developed: nothing is broken there.
    console[/^(no_c|ne)/.test(error.code) ? 'warn' : 'error']('[suitesign] ' + error.message + (error.requestId && ' [' + error.requestId + ']'))
    if (tell) {
      tell(error)
    }
  }
  return error
}

/** reporting is work whose failure is typed and reported: whoever ignores it leaves no unhandled rejection. */
export function reporting<T>(work: Promise<T>, tell?: (error: SuitesignError) => void): Promise<T> {
  const told = work.catch(raw => Promise.reject(report(raw, tell)))
  told.catch(() => {})
  return told
}
