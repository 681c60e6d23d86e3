// Which client the page is in, as @wecom/jssdk tells it.

function navigate(): Navigator {
  return typeof navigator === 'undefined' ? {} as Navigator : navigator // a server has none
}

/** Whether whoever reads the console reads Chinese. */
export function inChinese(): boolean {
  return /^zh/i.test(navigate().language)
}

export function inWeCom(): boolean {
  return /wxwork\/\d/i.test(navigate().userAgent)
}

/** In WeCom or WeChat. */
export function inClient(): boolean {
  return inWeCom() || /micromessenger/i.test(navigate().userAgent)
}

/** Whether the client is one of WeChat's for phones: they check the URL that the page was opened with. */
export function checksEntryURL(): boolean {
  const { platform, maxTouchPoints } = navigate()
  const desktop = /Win/i.test(platform) || /Mac/i.test(platform) && !(maxTouchPoints > 2)
  return inClient() && !inWeCom() && !desktop
}

/** The URL that the page was opened with, or as near to that as this script was loaded. */
export const entryURL = typeof location === 'undefined' ? '' : location.href

/** How long a client may take. Longer than any question to the service, whose own error says more. */
const clientLimit = 60000

/** within ends a promise that the client leaves open. */
export function within<T>(work: Promise<T>, late: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout>
  const end = () => clearTimeout(timer)
  const limit = new Promise<T>((_, reject) => { timer = setTimeout(() => reject(late()), clientLimit) })
  work.then(end, end)
  return Promise.race([work, limit])
}
