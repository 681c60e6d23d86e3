// React: one hook for all pages of an app. StrictMode runs the effect twice; the
// second run shares the first one's registration.
import { registerSuite, type SuiteOptions, type SuitesignError } from '@suitesign/h5'
import { scanQRCode } from '@wecom/jssdk'
import { useEffect, useState } from 'react'

/** path: the route at hand, so that history routes are registered anew; hash routes need none. */
export function useSuite(options: SuiteOptions, path = '') {
  const [state, setState] = useState<'pending' | 'ready' | SuitesignError>('pending')
  useEffect(() => {
    let mounted = true
    const show = (next: 'ready' | SuitesignError) => { if (mounted) setState(next) }
    registerSuite(options).then(() => show('ready'), show)
    return () => { mounted = false }
  }, [options, path])
  return state
}

export function ScanButton({ options, onScan }: { options: SuiteOptions, onScan: (text: string) => void }) {
  const state = useSuite(options)
  if (typeof state === 'object') {
    return <p role="alert">{state.hint.zh}</p>
  }
  const scan = async () => {
    await registerSuite(options) // costs nothing while the registration holds
    onScan((await scanQRCode({ needResult: true })).resultStr || '')
  }
  return <button disabled={state !== 'ready'} onClick={scan}>扫一扫</button>
}
