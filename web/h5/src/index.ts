import * as ww from '@wecom/jssdk'

import { type Registered, type SuiteOptions, register } from './register.js'

export { SuitesignError } from './errors.js'
export type { Hint } from './hints.js'
export type { Registered, RegistrationResult, SuiteOptions } from './register.js'
export type { Suite } from './signatures.js'
export { configureWx } from './wx.js'
export type { Configured, Wx, WxOptions } from './wx.js'

// Named one by one, so that bundlers can leave the rest of the SDK out.
const sdk = { register: ww.register, ensureConfigReady: ww.ensureConfigReady, env: ww.env }

/**
 * Registers the page for the URL that it is at, and resolves once the client has
 * accepted it. APIs of the SDK may be called at once: they wait.
 *
 * Call it again whenever the page must be registered, after a change of route for
 * example: while the registration still holds that costs nothing.
 */
export function registerSuite(options: SuiteOptions): Promise<Registered> {
  return register(sdk, options)
}
