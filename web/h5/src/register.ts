import { checksEntryURL, entryURL, within } from './client.js'
import { cure } from './cure.js'
import { SuitesignError, isAbort, report, reporting } from './errors.js'
import { checkIdentity } from './identity.js'
import { type Kind, type Suite, sign } from './signatures.js'
import { checkTickets } from './tickets.js'

/** What a client answers to a registration. */
export interface RegistrationResult {
  errMsg: string
  errCode: number
  /** Which APIs of jsApiList the client allows, by the client's names. */
  checkResult?: { [api: string]: boolean }
}

/** Options of registerSuite: those of ww.register, but for the signatures, which suitesign makes. */
export interface SuiteOptions extends Suite {
  /** The APIs that the page calls, by the SDK's names. */
  jsApiList: string[]
  /** The open tags that the page uses, for example wx-open-launch-weapp. */
  openTagList?: string[]
  /** Told of every failed registration, the later ones of a single-page app too. */
  onError?: (error: SuitesignError) => void
  onConfigSuccess?: (result: RegistrationResult) => void
  onConfigFail?: (error: unknown) => void
  onConfigComplete?: (result: unknown) => void
  onAgentConfigSuccess?: (result: RegistrationResult) => void
  onAgentConfigFail?: (error: unknown) => void
  onAgentConfigComplete?: (result: unknown) => void
}

/** A page that is registered. */
export interface Registered {
  /** Whose identity the client knows the page by: WeCom's the app's where agentId is given, else the corp's. */
  identity: 'agent' | 'corp'
  /** The page URL that was registered, without its hash. */
  url: string
  /** Which APIs of jsApiList the client allows, by the client's names. */
  checkResult: { [api: string]: boolean }
}

/** What is needed of @wecom/jssdk. */
export interface SDK {
  register(options: any): void
  ensureConfigReady(): Promise<{ result: any }>
  env: { isWeCom: boolean, isWeChat: boolean }
}

/** How often a registration begins again because the router moved on meanwhile. */
const moves = 10

/** register registers the page through the SDK. */
export function register(sdk: SDK, options: SuiteOptions): Promise<Registered> {
  checkTickets(options)
  checkIdentity(options)
  return reporting(prepare(sdk, options), options.onError)
}

function prepare(sdk: SDK, options: SuiteOptions): Promise<Registered> {
  if (!options.corpId) {
    return Promise.reject(new SuitesignError('missing_corp_id'))
  }
  const hook = (name: 'onConfigFail' | 'onAgentConfigFail', kind: Kind) => (raw: unknown) => {
    const hook = options[name]
    if (!isAbort(raw)) {
      cure(raw, kind, options).then(() => { sdk.ensureConfigReady().catch(() => {}) }, () => { report(raw, options.onError) })
    }
    if (hook) {
      hook(raw)
    }
  }
  const given: any = Object.assign({}, options, {
    getConfigSignature: undefined,
    getAgentConfigSignature: undefined,
    onConfigFail: hook('onConfigFail', 'config'),
    onAgentConfigFail: hook('onAgentConfigFail', 'agent')
  })
  // register() asks for a signature at once and drops the promise of it: a failure
  // would be an unhandled rejection of the page. So the signatures come after it,
  // and what asks for the first one is ensureConfigReady below, whose promise is ours.
  sdk.register(given)
  const noClient = reachable(sdk) ? undefined : new SuitesignError('no_client')
  const signer = (kind: Kind) => (url: string) => noClient
    ? Promise.reject(noClient) // else the API would wait for a client for ever
    : sign(kind, kind === 'config' && checksEntryURL() ? entryURL : url, options)
  given.getConfigSignature = signer('config')
  if (options.agentId) {
    given.getAgentConfigSignature = signer('agent')
  }
  if (noClient) {
    return Promise.reject(noClient)
  }
  return within(ready(sdk, moves), () => new SuitesignError('no_answer')).then(({ result }) => ({
    identity: sdk.env.isWeCom && options.agentId ? 'agent' as const : 'corp' as const,
    url: location.href.split('#')[0],
    checkResult: result && result.checkResult || {}
  }))
}

/** Whether there is a client to register with. */
function reachable(sdk: SDK): boolean {
  return sdk.env.isWeCom || sdk.env.isWeChat || typeof window !== 'undefined' && 'WeixinJSBridge' in window
}

/**
 * The SDK gives a registration up when the page's URL changes meanwhile; the next one
 * is for the new URL. What the client refused may be cured: the hooks have seen to it.
 */
function ready(sdk: SDK, left: number): Promise<{ result: any }> {
  return sdk.ensureConfigReady().catch(error => isAbort(error) && left
    ? ready(sdk, left - 1)
    : cure(error).then(() => ready(sdk, left)))
}
