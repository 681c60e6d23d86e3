// Vue 3: one composable for all pages of an app.
//
//   const { state, error, ready } = useSuite(options)      // in a component
//   router.afterEach(() => { ready().catch(() => {}) })    // history routes are registered anew; hash routes need nothing
//
import { registerSuite, type SuiteOptions, type SuitesignError } from '@suitesign/h5'
import { onMounted, ref, shallowRef } from 'vue'

export function useSuite(options: SuiteOptions) {
  const state = ref<'pending' | 'ready' | 'failed'>('pending')
  const error = shallowRef<SuitesignError>()

  /** Resolves once the page is registered for the URL that it is at. */
  async function ready() {
    try {
      await registerSuite(options)
      state.value = 'ready'
      error.value = undefined
    } catch (e) {
      state.value = 'failed'
      error.value = e as SuitesignError
      throw e
    }
  }

  onMounted(() => { ready().catch(() => {}) }) // state and error show it
  return { state, error, ready }
}
