'use strict'

// What an H5 page does to use the JS-SDK, from top to bottom:
//   1. load the SDK,
//   2. ww.register with two functions that fetch a signature for the page's URL,
//   3. call APIs.
// Everything else here is for show: two languages, dark mode, results on the page.

const texts = {
  zh: {
    about: '用 suitesign 签名，在真实的 @wecom/jssdk 中注册并调用接口。',
    language: 'English',
    who: '身份',
    registration: '注册',
    apis: '接口',
    client: '客户端', corp_id: '企业 corpId', suite_id: '应用 suiteId', agent_id: 'agentId',
    corp: '企业身份 · config', corp_note: '企业 jsapi_ticket，getConfigSignature',
    agent: '应用身份 · agentConfig', agent_note: '应用 jsapi_ticket，getAgentConfigSignature',
    pending: '进行中…', ok: '成功', failed: '失败', idle: '未开始', run: '运行',
    not_in_wechat: '微信中没有应用身份，此项不适用。',
    no_client: '请在企业微信中打开此页面。当前是普通浏览器，也没有配置模拟器。',
    load_failed: '脚本加载失败：',
    getContext: '当前页面的入口', scanQRCode: '扫一扫', getLocation: '地理位置', getCurExternalContact: '当前外部联系人',
    entry_hint: '只在 contact_profile、single_chat_tools、single_kf_tools 入口有效，当前入口是 '
  },
  en: {
    about: 'Signed by suitesign: registers and calls APIs through the real @wecom/jssdk.',
    language: '中文',
    who: 'Identity',
    registration: 'Registration',
    apis: 'APIs',
    client: 'Client', corp_id: 'corpId', suite_id: 'suiteId', agent_id: 'agentId',
    corp: "The corp's identity · config", corp_note: 'corp jsapi_ticket, getConfigSignature',
    agent: "The app's identity · agentConfig", agent_note: 'agent jsapi_ticket, getAgentConfigSignature',
    pending: 'running…', ok: 'ok', failed: 'failed', idle: 'not started', run: 'Run',
    not_in_wechat: 'WeChat knows no app identity; this does not apply.',
    no_client: 'Open this page in WeCom. This is an ordinary browser, and no simulator is configured.',
    load_failed: 'Could not load the script ',
    getContext: 'Where the page was opened', scanQRCode: 'Scan a code', getLocation: 'Where the device is', getCurExternalContact: 'The external contact at hand',
    entry_hint: 'Works only from the entries contact_profile, single_chat_tools and single_kf_tools; this is '
  }
}

let language = /^zh/i.test(navigator.language || 'zh') ? 'zh' : 'en'
const text = key => texts[language][key] || key

// The APIs that the page shows. The first two need the corp's identity only, the
// last the app's: WeCom checks jsApiList against the registration that was made.
const apis = [
  { name: 'getContext', run: () => ww.getContext() },
  { name: 'scanQRCode', run: () => ww.scanQRCode({ needResult: true, scanType: ['qrCode', 'barCode'] }) },
  { name: 'getLocation', run: () => ww.getLocation({ type: 'gcj02' }) },
  {
    name: 'getCurExternalContact',
    run: async () => {
      const context = await ww.getContext()
      if (!['contact_profile', 'single_chat_tools', 'single_kf_tools'].includes(context.entry)) {
        throw new Error(text('entry_hint') + context.entry)
      }
      return ww.getCurExternalContact()
    }
  }
]

const state = { corp: { state: 'idle' }, agent: { state: 'idle' }, calls: {}, facts: {} }

start()

async function start() {
  followColorScheme()
  render()
  try {
    const config = await pageConfig()
    state.facts = { corp_id: config.corp_id, suite_id: config.suite_id, agent_id: config.agent_id }
    render()
    if (!isClient() && !config.sim_url) {
      throw new Error(text('no_client'))
    }
    if (!isClient()) {
      // The bridge must be there before the SDK looks for it.
      await loadScript(config.sim_url + '/sim/bridge.js')
    }
    await loadScript(config.sdk_url)
    state.facts.client = clientName()
    await register(config)
    for (const api of apis) {
      await call(api)
    }
  } catch (error) {
    for (const kind of ['corp', 'agent']) {
      if (state[kind].state === 'idle' || state[kind].state === 'pending') {
        state[kind] = { state: 'failed', result: describe(error) }
      }
    }
  }
  render()
  document.body.dataset.ready = 'true'
}

// register makes both registrations. Inside WeCom the SDK would make only the
// app's when both signatures are offered; asking for each shows both.
async function register(config) {
  ww.register({
    corpId: config.corp_id,
    agentId: config.agent_id,
    jsApiList: apis.map(api => api.name),
    getConfigSignature: url => signature('config-signature', url, config, 'corp'),
    getAgentConfigSignature: url => signature('agent-signature', url, config, 'agent')
  })
  await watch('corp', () => ww.ensureCorpConfigReady())
  if (/micromessenger/i.test(navigator.userAgent) && !/wxwork/i.test(navigator.userAgent)) {
    state.agent = { state: 'idle', result: text('not_in_wechat') }
    render()
    return
  }
  await watch('agent', () => ww.ensureAgentConfigReady())
}

// signature asks suitesign to sign the page's URL: exactly the URL that the SDK
// names, encoded once.
async function signature(endpoint, url, config, kind) {
  const query = new URLSearchParams({ url, suite_id: config.suite_id, corp_id: config.corp_id })
  if (kind === 'agent') {
    query.set('agent_id', config.agent_id)
  }
  const response = await fetch('/api/jssdk/' + endpoint + '?' + query, { headers: { 'Accept-Language': language } })
  const body = await response.json()
  if (!response.ok) {
    throw new Error(body.code + ': ' + body.detail)
  }
  state[kind].signed = { url, timestamp: body.timestamp, nonceStr: body.nonceStr, signature: body.signature }
  return body
}

async function watch(kind, run) {
  state[kind].state = 'pending'
  render()
  try {
    await run()
    state[kind].state = 'ok'
  } catch (error) {
    state[kind].state = 'failed'
    state[kind].result = describe(error)
  }
  render()
}

async function call(api) {
  state.calls[api.name] = { state: 'pending' }
  render()
  try {
    state.calls[api.name] = { state: 'ok', result: JSON.stringify(await api.run(), null, 1) }
  } catch (error) {
    state.calls[api.name] = { state: 'failed', result: describe(error) }
  }
  render()
}

function describe(error) {
  return error && (error.errMsg || error.message) || String(error)
}

// pageConfig is the server's, with the page's own query parameters before it. What
// neither knows, suitesign does where the page's host leaves only one tenant.
async function pageConfig() {
  const config = await (await fetch('/demo/config.json')).json()
  const query = new URLSearchParams(location.search)
  for (const key of ['suite_id', 'corp_id', 'agent_id']) {
    if (query.get(key)) {
      config[key] = query.get(key)
    }
  }
  if (!config.suite_id || !config.corp_id || !config.agent_id) {
    const query = new URLSearchParams({ url: location.href.split('#')[0] })
    for (const key of ['suite_id', 'corp_id', 'agent_id']) {
      if (config[key]) {
        query.set(key, config[key])
      }
    }
    const response = await fetch('/api/jssdk/signatures?' + query, { headers: { 'Accept-Language': language } })
    const body = await response.json()
    if (!response.ok) {
      throw new Error(body.code + ': ' + body.detail)
    }
    Object.assign(config, { suite_id: body.suiteId, corp_id: body.corpId, agent_id: body.agentId })
  }
  return config
}

function isClient() {
  return /wxwork|micromessenger/i.test(navigator.userAgent) || typeof WeixinJSBridge !== 'undefined'
}

function clientName() {
  const wecom = navigator.userAgent.match(/wxwork\/([\d.]+)/i)
  const wechat = navigator.userAgent.match(/micromessenger\/([\d.]+)/i)
  return wecom ? 'WeCom ' + wecom[1] : wechat ? 'WeChat ' + wechat[1] : 'browser'
}

function loadScript(src) {
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
function followColorScheme() {
  const query = window.matchMedia && window.matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    const dark = (query && query.matches) || /ColorScheme\/Dark/i.test(navigator.userAgent)
    document.documentElement.dataset.colorMode = dark ? 'dark' : 'light'
  }
  apply()
  if (query && query.addEventListener) {
    query.addEventListener('change', apply)
  }
}

// ---- the page ----

function render() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text)
  }
  const button = document.getElementById('language')
  button.textContent = text('language')
  button.onclick = () => {
    language = language === 'zh' ? 'en' : 'zh'
    render()
  }
  document.getElementById('facts').replaceChildren(
    ...Object.keys(state.facts).flatMap(key => [element('dt', {}, text(key)), element('dd', { id: 'fact-' + key }, String(state.facts[key] || '–'))]))
  document.getElementById('registrations').replaceChildren(...['corp', 'agent'].map(registrationItem))
  document.getElementById('calls').replaceChildren(...apis.map(callItem))
}

function registrationItem(kind) {
  const { state: current, result, signed } = state[kind]
  const item = element('li', { id: kind + '-registration' }, row(text(kind), current), element('p', { className: 'note' }, text(kind + '_note')))
  item.dataset.state = current
  if (result) {
    item.append(element('pre', {}, result))
  }
  if (signed) {
    item.append(element('pre', {}, Object.keys(signed).map(key => key + ' = ' + signed[key]).join('\n')))
  }
  return item
}

function callItem(api) {
  const { state: current = 'idle', result } = state.calls[api.name] || {}
  const again = element('button', { type: 'button', disabled: typeof ww === 'undefined' || current === 'pending' }, text('run'))
  again.onclick = () => call(api)
  const item = element('li', { id: 'call-' + api.name }, row('ww.' + api.name, current, again), element('p', { className: 'note' }, text(api.name)))
  item.dataset.state = current
  if (result) {
    item.append(element('pre', {}, result))
  }
  return item
}

function row(title, current, ...more) {
  return element('div', { className: 'row' }, element('strong', {}, title), element('span', { className: 'state' }, text(current)), ...more)
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}
