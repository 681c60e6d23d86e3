// ---- the client: what the page's user agent, platform, colours and network are ----

const script = document.currentScript
const source = new URL(script && script.src ? script.src : location.href, location.href)
const option = (name, otherwise) => (script && script.dataset[name]) || source.searchParams.get(name) || otherwise

const sim = option('sim', source.origin).replace(/\/$/, '')
const nativeMatch = window.matchMedia.bind(window)
const entryURL = location.href // WeChat on a phone checks the URL that the page was opened with

// What can be set: what the script's tag says, and before it what the panel was told.
const defaults = {
  client: option('ua', 'wecom'),
  version: option('version', ''), // of the app; empty: the newest that the catalogue names
  entry: option('entry', 'single_chat_tools'),
  identity: 'registered', // corp: as if the page had registered without its app
  kind: 'installed', // third_party, customized, internal: as if the app were one
  user: 'confirms', // or cancels
  dark: 'auto', // or light, dark
  network: 'online', // or offline
  scan: '', // what scanQRCode finds
  open: false // the panel
}
const storageKey = 'wecomsim'
const chosen = read()
const settings = Object.assign({}, defaults, chosen)

function read () {
  try {
    return JSON.parse(localStorage.getItem(storageKey)) || {}
  } catch (_) {
    return {} // no storage, or somebody else's
  }
}

function keep () {
  try {
    localStorage.setItem(storageKey, JSON.stringify(chosen))
  } catch (_) {} // no storage: the choice lasts until the page is loaded again
}

// ---- who shows the page ----

const phone = 'AppleWebKit/605.1.15 (KHTML, like Gecko)'
const android = 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.0.0 Mobile Safari/537.36'
const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) ' + phone + ' Mobile/15E148'
const windows = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'
const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ' + phone

// The SDK looks for wxwork/ and MicroMessenger in the user agent, and at
// navigator.platform. The first two are this browser with an app's name added.
const clients = {
  wecom: { app: 'wecom' },
  wechat: { app: 'wechat' },
  'wecom-ios': { app: 'wecom', agent: iphone, platform: 'iPhone', touch: 5 },
  'wecom-android': { app: 'wecom', agent: android, platform: 'Linux aarch64', touch: 5 },
  'wecom-windows': { app: 'wecom', agent: windows, platform: 'Win32', touch: 0 },
  'wecom-mac': { app: 'wecom', agent: mac, platform: 'MacIntel', touch: 0 },
  'wechat-ios': { app: 'wechat', agent: iphone, platform: 'iPhone', touch: 5 },
  'wechat-android': { app: 'wechat', agent: android, platform: 'Linux aarch64', touch: 5 },
  'wechat-windows': { app: 'wechat', agent: windows, platform: 'Win32', touch: 0 }
}
const newest = { wecom: '5.0.9', wechat: '8.0.50' }
const ownAgent = navigator.userAgent

function userAgent (client) {
  const scheme = ' Language/zh ColorScheme/' + (isDark() ? 'Dark' : 'Light')
  const version = settings.version || newest[client.app]
  const app = client.app === 'wecom' ? ' wxwork/' + version + ' MicroMessenger/7.0.1' : ' MicroMessenger/' + version + ' NetType/WIFI'
  return (client.agent || ownAgent) + app + scheme
}

// A user agent that names a client already is kept, unless the panel was told otherwise.
const client = clients[settings.client]
if (client && (chosen.client || !/wxwork|micromessenger/i.test(ownAgent))) {
  define(navigator, 'userAgent', () => userAgent(client))
  if (client.agent) {
    define(navigator, 'platform', () => client.platform)
    define(navigator, 'maxTouchPoints', () => client.touch)
  }
}

function define (object, name, get) {
  Object.defineProperty(object, name, { get, configurable: true })
}

const isWeCom = /wxwork/i.test(navigator.userAgent)
const isIOS = /\b(iPhone|iPad|iPod)\b/i.test(navigator.userAgent) || (/Mac/i.test(navigator.platform) && navigator.maxTouchPoints > 2)
const isAndroid = /\bAndroid\b/i.test(navigator.userAgent)
const isPhone = !/Win|Mac/i.test(navigator.platform) || isIOS

// In the catalogue's words; '' is a platform that it does not know.
const here = {
  app: isWeCom ? 'wecom' : 'wechat',
  platform: isIOS ? 'ios' : isAndroid ? 'android' : /Win/i.test(navigator.platform) ? 'windows' : /Mac/i.test(navigator.platform) ? 'mac' : '',
  version: (navigator.userAgent.match(isWeCom ? /wxwork\/([\d.]+)/i : /micromessenger\/([\d.]+)/i) || [])[1] || ''
}

function before (version, other) {
  const a = version.split('.')
  const b = other.split('.')
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (parseInt(a[i]) || 0) - (parseInt(b[i]) || 0)
    if (difference) {
      return difference < 0
    }
  }
  return false
}

// ---- dark mode ----

// WeCom on Android does not tell the media query, only the user agent.
const scheme = /prefers-color-scheme\s*:\s*(dark|light)/

function isDark () {
  return settings.dark === 'auto' ? nativeMatch('(prefers-color-scheme: dark)').matches || /ColorScheme\/Dark/i.test(ownAgent) : settings.dark === 'dark'
}

function mediaIsDark () {
  return isDark() && !(settings.dark === 'dark' && isWeCom && isAndroid)
}

const schemeQueries = []
window.matchMedia = query => {
  const list = nativeMatch(query)
  const wanted = String(query).match(scheme)
  if (wanted) {
    const native = Object.getOwnPropertyDescriptor(MediaQueryList.prototype, 'matches').get
    define(list, 'matches', () => settings.dark === 'auto' ? native.call(list) : mediaIsDark() === (wanted[1] === 'dark'))
    schemeQueries.push(list)
  }
  return list
}

// A script cannot change what a media query says to CSS, but it can change the query.
const originalMedia = new WeakMap()

function recolour (rules) {
  for (const rule of rules) {
    if (rule.media) {
      const text = originalMedia.get(rule) || rule.media.mediaText
      if (scheme.test(text)) {
        originalMedia.set(rule, text)
        rule.media.mediaText = settings.dark === 'auto' ? text
          : text.replace(/prefers-color-scheme\s*:\s*(dark|light)/g, (_, wanted) => mediaIsDark() === (wanted === 'dark') ? 'min-width: 0px' : 'max-width: 0px')
      }
    }
    if (rule.cssRules) {
      recolour(rule.cssRules)
    }
  }
}

function recolourAll () {
  for (const sheet of document.styleSheets) {
    try {
      recolour([sheet])
    } catch (_) {} // a sheet of another origin
  }
}

function applyDark () {
  recolourAll()
  for (const list of schemeQueries) {
    list.dispatchEvent(new MediaQueryListEvent('change', { media: list.media, matches: list.matches }))
  }
}

if (settings.dark !== 'auto') {
  recolourAll() // of a page that was there before this script
  document.addEventListener('DOMContentLoaded', recolourAll)
}
document.addEventListener('load', event => { // a style sheet that comes later
  if (settings.dark !== 'auto' && event.target.sheet) {
    recolourAll()
  }
}, true)

// ---- network ----

// Offline holds for what the page itself asks for, and for what the client does.
const offline = () => settings.network === 'offline'
const nativeFetch = window.fetch.bind(window)
const nativeSend = XMLHttpRequest.prototype.send

window.fetch = function (...args) {
  return offline() ? Promise.reject(new TypeError('Failed to fetch')) : nativeFetch(...args)
}
XMLHttpRequest.prototype.send = function (...args) {
  if (!offline()) {
    return nativeSend.apply(this, args)
  }
  setTimeout(() => this.dispatchEvent(new ProgressEvent('error')))
}
const nativeOnLine = Object.getOwnPropertyDescriptor(Navigator.prototype, 'onLine').get
define(navigator, 'onLine', () => !offline() && nativeOnLine.call(navigator))

function applyNetwork () {
  window.dispatchEvent(new Event(offline() ? 'offline' : 'online'))
  emit('onNetworkStatusChange', { isConnected: !offline(), networkType: offline() ? 'none' : 'wifi' })
}
