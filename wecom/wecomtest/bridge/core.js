// ---- registrations ----

// By the simulator's word for the identity: the page it is for, the signature
// it was made with, and which APIs the client allows: {name: true or false}.
const registrations = {}

const withoutHash = url => url.split('#')[0]
const text = value => value === undefined || value === null ? '' : String(value)
const fail = (name, why) => ({ err_msg: name + ':' + why })

// The URL that the client checks a registration for.
function checkedURL (kind) {
  return kind === 'config' && !isWeCom && isPhone ? entryURL : location.href
}

async function register (name, kind, question) {
  const url = checkedURL(kind)
  if (offline()) {
    return fail(name, 'fail network error')
  }
  let verdict
  try {
    const response = await nativeFetch(sim + '/sim/jsapi', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(Object.assign({ kind, url }, question))
    })
    verdict = await response.json()
    if (!response.ok) {
      throw new Error(verdict.detail)
    }
  } catch (error) {
    return fail(name, 'fail_' + error.message)
  }
  if (!verdict.ok) {
    console.warn('[wecomsim] ' + name + ': ' + verdict.reason + '. ' + verdict.detail)
    delete registrations[kind]
    return { err_msg: verdict.err_msg, err_code: verdict.errcode, reason: verdict.reason, detail: verdict.detail }
  }
  const allows = {}
  for (const asked of Object.keys(verdict.checkResult)) {
    const api = find(asked)
    allows[asked] = verdict.checkResult[asked] && (!api || runsHere(api))
    if (api && (settings.kind !== 'installed' || settings.identity === 'corp')) {
      allows[asked] = runsHere(api) && permitted(api, kind, settings.kind === 'installed' ? verdict.app_kind : settings.kind)
    }
  }
  registrations[kind] = { page: withoutHash(url), signature: question.signature, allows, appKind: verdict.app_kind }
  return { err_msg: verdict.err_msg, checkResult: Object.assign({}, allows) }
}

const configuration = {
  preVerifyJSAPI: p => register('preVerifyJSAPI', 'config', {
    corp_id: text(p.appId || p.verifyAppId),
    timestamp: text(p.verifyTimestamp),
    nonceStr: text(p.verifyNonceStr),
    signature: text(p.verifySignature),
    jsApiList: p.verifyJsApiList || []
  }),
  agentConfig: p => {
    if (!isWeCom) {
      return fail('agentConfig', 'function not exist') // WeChat has no such thing
    }
    return register('agentConfig', 'agent_config', {
      corp_id: text(p.corpid),
      agent_id: text(p.agentid),
      timestamp: text(p.timestamp),
      nonceStr: text(p.nonceStr),
      signature: text(p.signature),
      jsApiList: p.jsApiList || []
    })
  }
}

// ---- the catalogue: what an API asks for ----

const byName = {}
catalogue.apis.forEach(api => { byName[api.wire] = api })
catalogue.apis.forEach(api => { byName[api.name] = api }) // the SDK's names come before the client's

// find knows an API by either name, and by that of one of its parts.
const find = name => byName[name] || byName[catalogue.parts[name]]

function runsHere (api) {
  return !api.clients || api.clients.some(c => c.app === here.app && (!c.platforms || !here.platform || c.platforms.includes(here.platform)) &&
    !(c.since && here.version && before(here.version, c.since)))
}

function permitted (api, registration, kind) {
  const identity = api.identity[kind]
  return identity === 'agent' ? registration === 'agent_config' && settings.identity !== 'corp' : Boolean(identity)
}

function opensFrom (api) {
  return !api.entries || api.entries.some(e => e.entry === settings.entry && !(e.not_on || []).includes(here.platform) &&
    !(e.since && here.version && before(here.version, e.since)))
}

// ---- calls ----

// checkJsApi asks only what the client is able to do, so nothing forbids it.
function checkJsApi (p) {
  const checkResult = {}
  for (const name of p.jsApiList || []) {
    const api = find(name)
    checkResult[name] = Boolean(api) && runsHere(api)
  }
  return { err_msg: 'checkJsApi:ok', checkResult }
}

// registrationFor finds the registration that a call refers to. The SDK repeats
// the signature of it with every call; older pages do not.
function registrationFor (params) {
  const all = Object.keys(registrations).map(kind => Object.assign({ kind }, registrations[kind]))
    .filter(r => r.page === withoutHash(checkedURL(r.kind))) // a new URL by the history API ends it
  if (params.verifySignature) {
    return all.filter(r => r.signature === params.verifySignature)
  }
  return all
}

function callAPI (name, params) {
  if (name === 'checkJsApi') {
    return checkJsApi(params)
  }
  const api = find(name)
  if (!api || !runsHere(api)) {
    return fail(name, 'function not exist')
  }
  const candidates = registrationFor(params)
  if (candidates.length === 0) {
    return fail(name, 'permission denied')
  }
  const listed = r => r.allows[api.wire] !== undefined ? r.allows[api.wire] : r.allows[api.name]
  const registration = candidates.find(r => listed(r) === true)
  if (!registration) {
    // in a list, but not for this identity; or in no list at all
    return fail(name, candidates.some(r => listed(r) === false) ? 'fail no permission' : 'fail_nopermission')
  }
  if (!opensFrom(api)) {
    return fail(name, wrongEntry[api.name] || 'fail without context of external contact')
  }
  if (offline() && needsNetwork.includes(api.name)) {
    return fail(name, 'fail network error')
  }
  if (settings.user === 'cancels' && asksTheUser.includes(api.name)) {
    return fail(name, 'cancel')
  }
  const made = own[api.name] !== undefined ? own[api.name] : answers[api.name]
  const answer = typeof made === 'function' ? made(params, registration) : made
  return typeof answer === 'string' ? fail(name, answer) : Object.assign({ err_msg: name + ':ok' }, answer)
}

// ---- the bridge ----

const listeners = {}
const log = []
const watchers = [] // of the log

function invoke (name, params, callback) {
  if (typeof params === 'function') {
    callback = params
    params = {}
  }
  params = params || {}
  const call = { name, params, at: new Date() }
  tell(call)
  // The client always answers later, never inside invoke.
  Promise.resolve().then(() => configuration[name] ? configuration[name](params) : callAPI(name, params)).then(result => {
    call.result = Object.assign({}, result) // the SDK changes what it is given
    console.debug('[wecomsim] ' + name + ' → ' + result.err_msg)
    watchers.forEach(watch => watch(call))
    if (typeof callback === 'function') {
      callback(result)
    }
  })
}

function tell (call) {
  log.push(call)
  watchers.forEach(watch => watch(call))
}

function on (event, callback) {
  listeners[event] = (listeners[event] || []).concat(callback)
  tell({ name: event, listens: true, at: new Date() })
}

// emit lets the client send an event, and answers with what the listeners returned.
function emit (event, data) {
  const heard = listeners[event] || []
  tell({ name: event, event: true, params: data || {}, at: new Date(), heard: heard.length })
  return heard.map(listener => listener(data || {}))
}

// set changes settings as the panel does. What a client cannot change while a page
// is open is there from the next load on.
function set (changes) {
  for (const name of Object.keys(changes)) {
    if (!(name in defaults)) {
      throw new Error('wecomsim has no setting ' + name)
    }
    chosen[name] = settings[name] = changes[name]
  }
  keep()
  if ('dark' in changes) {
    applyDark()
  }
  if ('network' in changes) {
    applyNetwork()
  }
}

// answer lets the page's developer say what an API answers with: an object for
// success, a string for the reason of a failure, a function of the parameters.
const own = {}

function answer (name, value) {
  const api = find(name)
  if (!api) {
    throw new Error('wecomsim knows no API ' + name)
  }
  own[api.name] = value
}

window.WeixinJSBridge = { invoke, call: (name, params, callback) => invoke(name, params, callback), on, log: () => {} }
window.wecomsim = {
  registrations,
  log,
  emit,
  happen,
  known: () => ({ answers: Object.keys(answers), events: Object.keys(events) }),
  set,
  answer,
  settings,
  catalogue,
  sim,
  get entry () { return settings.entry }
}

setTimeout(() => document.dispatchEvent(new Event('WeixinJSBridgeReady'))) // for whoever began to listen before
