// What an H5 page does to use the JS-SDK, from top to bottom:
//   1. load the SDK,
//   2. ww.register with two functions that fetch a signature for the page's URL,
//   3. ask where the page was opened from, and call what works there.
// page.js puts it on the page, cards.js lets every API of the catalogue be called.

import { showCards } from './cards.js'
import { describe, followColorScheme, isClient, isWeChat, clientName, loadScript, prepare, render, state } from './page.js'
import { language, text } from './texts.js'

let config // whose page this is, and where it is signed
let catalogue // what an API asks for

start()

async function start () {
  prepare()
  try {
    config = await pageConfig()
    catalogue = await getJSON(config.endpoint + '/api/jssdk/apis')
    state.facts = { corp_id: config.corp_id, suite_id: config.suite_id, agent_id: config.agent_id }
    render()
    await load()
    state.facts.client = clientName()
    await register()
    await toolbar()
  } catch (error) {
    for (const kind of ['corp', 'agent']) {
      if (state[kind].state === 'idle' || state[kind].state === 'pending') {
        state[kind] = { state: 'failed', result: describe(error) }
      }
    }
  }
  if (catalogue) {
    showCards(catalogue, register)
  }
  document.getElementById('again').onclick = toolbar
  render()
  document.body.dataset.ready = 'true'
}

// load loads the SDK. In an ordinary browser the simulator's bridge plays the
// client; it must be there before the SDK looks for it.
async function load () {
  if (!isClient()) {
    if (!config.bridge_url) {
      throw new Error(text('no_client'))
    }
    await loadScript(config.bridge_url)
    followColorScheme() // the simulated client may have colours of its own
  }
  await loadScript(config.sdk_url)
}

// register makes both registrations. Inside WeCom from 3.0.24 on the SDK makes the
// app's alone when both signatures are offered, and in WeChat the corp's alone;
// asking for each shows both.
async function register () {
  ww.register({
    corpId: config.corp_id,
    agentId: config.agent_id,
    jsApiList: catalogue.apis.map(api => api.name),
    getConfigSignature: url => signature('config-signature', url, 'corp'),
    getAgentConfigSignature: url => signature('agent-signature', url, 'agent')
  })
  await watch('corp', () => ww.ensureCorpConfigReady())
  if (isWeChat()) {
    state.agent = { state: 'idle', result: text('not_in_wechat') }
  } else {
    await watch('agent', () => ww.ensureAgentConfigReady())
  }
  state.facts.registered = state.agent.state === 'ok' ? 'agentConfig' : state.corp.state === 'ok' ? 'config' : ''
  render()
  const { result } = await ww.ensureConfigReady() // what the APIs wait for
  return result
}

// signature asks for the page's URL to be signed: exactly the URL that the SDK
// names, encoded once.
async function signature (endpoint, url, kind) {
  const query = new URLSearchParams({ url, suite_id: config.suite_id, corp_id: config.corp_id })
  if (kind === 'agent') {
    query.set('agent_id', config.agent_id)
  }
  const signed = await getJSON(config.endpoint + '/api/jssdk/' + endpoint + '?' + query)
  state[kind].signed = { noncestr: signed.nonceStr, timestamp: signed.timestamp, url, signature: signed.signature }
  render()
  return signed
}

async function watch (kind, run) {
  state[kind].state = 'pending'
  state[kind].result = ''
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

// toolbar is what a page in the chat's toolbar does: it asks for its entry first,
// because the calls that tell whose chat it is work from some entries only.
async function toolbar () {
  const step = (name, current, result) => {
    state.flow[name] = { state: current, result }
    render()
  }
  state.flow = {}
  step('context', 'pending')
  let entry
  try {
    entry = (await ww.getContext()).entry
    step('context', 'ok', 'entry = ' + entry)
  } catch (error) {
    step('context', 'failed', describe(error, known('getContext')))
    return
  }
  const name = ['getCurExternalContact', 'getCurExternalChat'].find(api => opensFrom(api, entry))
  if (!name) {
    step('entry', 'idle', text('entry_hint') + entry)
    return
  }
  step('entry', 'ok', entry + ' → ww.' + name)
  step('contact', 'pending')
  try {
    const contact = await ww[name]()
    step('contact', 'ok', JSON.stringify(contact, null, 1))
  } catch (error) {
    step('contact', 'failed', describe(error, known(name)))
  }
}

const known = name => catalogue.apis.find(api => api.name === name)
const opensFrom = (name, entry) => known(name).entries.some(e => e.entry === entry)

// pageConfig is the server's, with the page's own query parameters before it. What
// neither knows, suitesign does where the page's host leaves only one tenant.
async function pageConfig () {
  const config = await getJSON('config.json')
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
    const known = await getJSON(config.endpoint + '/api/jssdk/signatures?' + query)
    Object.assign(config, { suite_id: known.suiteId, corp_id: known.corpId, agent_id: known.agentId })
  }
  return config
}

// getJSON fails with the code and the words of a problem+json.
async function getJSON (url) {
  const response = await fetch(url, { headers: { 'Accept-Language': language() } })
  const body = await response.json()
  if (!response.ok) {
    throw new Error(body.code + ': ' + body.detail)
  }
  return body
}
