// The page: what it shows, its colours and its language.

import { language, otherLanguage, text } from './texts.js'

export const state = { corp: { state: 'idle' }, agent: { state: 'idle' }, flow: {}, facts: {} }

const also = [] // what else is drawn again in the other language

export function prepare () {
  followColorScheme()
  document.getElementById('language').onclick = () => {
    otherLanguage()
    render()
    also.forEach(draw => draw())
  }
  render()
}

export function onLanguage (draw) {
  also.push(draw)
}

export const isWeCom = () => /wxwork/i.test(navigator.userAgent)
export const isWeChat = () => /micromessenger/i.test(navigator.userAgent) && !isWeCom()
export const isClient = () => isWeCom() || isWeChat() || typeof WeixinJSBridge !== 'undefined'

export function clientName () {
  const wecom = navigator.userAgent.match(/wxwork\/([\d.]+)/i)
  const wechat = navigator.userAgent.match(/micromessenger\/([\d.]+)/i)
  return wecom ? 'WeCom ' + wecom[1] : wechat ? 'WeChat ' + wechat[1] : 'browser'
}

export function loadScript (src) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script')
    script.src = src
    script.onload = resolve
    script.onerror = () => reject(new Error(text('load_failed') + src))
    document.head.append(script)
  })
}

// followColorScheme marks the document for clients without the media query:
// WeCom on Android says ColorScheme/Dark in its user agent.
export function followColorScheme () {
  const query = window.matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    const dark = query.matches || /ColorScheme\/Dark/i.test(navigator.userAgent)
    document.documentElement.dataset.colorMode = dark ? 'dark' : 'light'
  }
  apply()
  query.addEventListener ? query.addEventListener('change', apply) : query.addListener(apply) // the latter in old WebViews
}

// describe is an error as the page shows it, with what to do about it: the service
// says that itself, of what a client says we know a little.
export function describe (error, api) {
  const said = (error && (error.errMsg || error.message)) || String(error)
  const hint = hintFor(said + ' ' + ((error && error.errCode) || ''), api)
  return hint ? said + '\n→ ' + hint : said
}

const hints = [
  [/function not exist/, api => api && text('hint_function') + clientsOf(api)],
  [/without context/, api => api && api.entries && text('hint_entry') + api.entries.map(e => e.entry).join(', ')],
  [/no permission/, api => text(api && api.identity.third_party === 'corp' ? 'hint_list' : 'hint_permission')],
  [/nopermission/, () => text('hint_list')],
  [/permission denied/, () => text('hint_registered')],
  [/42012|40093|invalid signature/, () => text('hint_signature')],
  [/80001|40048|domain/, () => text('hint_domain')],
  [/network error/, () => text('hint_network')],
  [/:cancel/, () => text('hint_cancel')],
  [/invalid|unsupported|missing/, () => text('hint_parameter')]
]

function hintFor (said, api) {
  if (/^[a-z]+(_[a-z]+)+: /.test(said)) {
    return '' // the service's own words
  }
  const found = hints.find(([pattern]) => pattern.test(said))
  return found ? found[1](api) : ''
}

export function clientsOf (api) {
  return (api.clients || []).map(c => [c.app === 'wecom' ? 'WeCom' : 'WeChat', c.since ? '≥ ' + c.since : '', (c.platforms || []).join('/')].filter(Boolean).join(' ')).join(', ')
}

// ---- drawing ----

export function render () {
  document.documentElement.lang = language() === 'zh' ? 'zh-CN' : 'en'
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text)
  }
  document.getElementById('language').textContent = text('language')
  document.getElementById('facts').replaceChildren(
    ...Object.keys(state.facts).flatMap(key => [element('dt', {}, text(key)), element('dd', { id: 'fact-' + key }, String(state.facts[key] || '–'))]))
  document.getElementById('registrations').replaceChildren(...['corp', 'agent'].map(registrationItem))
  document.getElementById('flow').replaceChildren(...['context', 'entry', 'contact'].map(flowItem))
}

function registrationItem (kind) {
  const { state: current, result, signed } = state[kind]
  const item = element('li', { id: kind + '-registration' }, row(text(kind), current), element('p', { className: 'note' }, text(kind + '_note')))
  item.dataset.state = current
  if (result) {
    item.append(element('pre', {}, result))
  }
  if (signed) {
    item.append(canonical(signed))
  }
  return item
}

// canonical shows the string that was signed, part by part. Its first part never
// leaves the service.
function canonical ({ noncestr, timestamp, url, signature }) {
  const part = (name, value) => [element('dt', {}, name), element('dd', {}, value)]
  return element('dl', { className: 'string' },
    ...part('jsapi_ticket=', text('secret')), ...part('&noncestr=', noncestr), ...part('&timestamp=', String(timestamp)), ...part('&url=', url), ...part(text('sha1'), signature))
}

function flowItem (step) {
  const { state: current = 'idle', result } = state.flow[step] || {}
  const item = element('li', { id: 'flow-' + step }, row(text('flow_' + step), result && current === 'idle' ? 'skipped' : current))
  item.dataset.state = current
  if (result) {
    item.append(element('pre', {}, result))
  }
  return item
}

function row (title, current) {
  return element('div', { className: 'row' }, element('strong', {}, title), element('span', { className: 'state' }, text(current)))
}

export function element (tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}
