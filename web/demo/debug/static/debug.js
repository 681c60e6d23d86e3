'use strict'

// The debugger: asks POST /api/jssdk/explain and draws what it answers.

const byId = id => document.getElementById(id)
const fields = ['url', 'kind', 'suite_id', 'corp_id', 'agent_id', 'timestamp', 'nonce_str', 'signature', 'error', 'user_agent', 'entry_url']

let language = /^zh/i.test(navigator.language || 'zh') ? 'zh' : 'en'
let answer = null // the last one, drawn anew when the language changes

const text = key => words[language][key] || key

start()

function start() {
  followColorScheme()
  fillFrom(new URLSearchParams(location.hash.slice(1)))
  byId('language').onclick = () => {
    language = language === 'zh' ? 'en' : 'zh'
    render()
  }
  byId('paste').oninput = event => readTriple(event.target.value)
  byId('form').onsubmit = event => {
    event.preventDefault()
    explain()
  }
  byId('form').onreset = () => {
    answer = null
    render()
  }
  render()
  document.body.dataset.ready = 'true'
}

// A link may fill the form: /demo/debug#url=…&signature=…. Behind the #, so that
// nothing of it is sent or logged.
function fillFrom(told) {
  for (const name of fields) {
    if (told.has(name)) {
      byId(name).value = told.get(name)
    }
  }
}

// readTriple finds the three values, and the ids, in whatever was pasted.
function readTriple(pasted) {
  const names = {
    timestamp: ['timestamp', 'timeStamp', 'verifyTimestamp'], nonce_str: ['nonceStr', 'noncestr', 'nonce_str', 'verifyNonceStr'], signature: ['signature', 'verifySignature'],
    corp_id: ['corpId', 'corpid', 'corp_id', 'appId', 'verifyAppId'], suite_id: ['suiteId', 'suite_id'], agent_id: ['agentId', 'agentid', 'agent_id']
  }
  for (const field of Object.keys(names)) {
    const found = pasted.match(new RegExp('(?:^|[^\\w])["\']?(?:' + names[field].join('|') + ')["\']?\\s*[:=]\\s*["\']?([^"\'\\s,;&}]+)'))
    if (found) {
      byId(field).value = found[1]
    }
  }
}

async function explain() {
  const question = {}
  for (const name of fields) {
    const value = byId(name).value.trim()
    if (value) {
      question[name] = value
    }
  }
  if (/^\d{4,7}$/.test(question.error || '')) {
    question.errcode = Number(question.error)
    delete question.error
  }
  answer = { asking: true }
  render()
  try {
    const response = await fetch('/api/jssdk/explain', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Accept-Language': language },
      body: JSON.stringify(question)
    })
    const body = await response.json()
    answer = response.ok ? Object.assign({ question }, body) : { failed: body.detail || body.code }
  } catch (error) {
    answer = { failed: '' }
  }
  render()
  byId('answer').focus()
}

// ---- drawing ----

function render() {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  for (const element of document.querySelectorAll('[data-text]')) {
    element.textContent = text(element.dataset.text)
  }
  byId('language').textContent = text('language')
  byId('language').lang = language === 'zh' ? 'en' : 'zh-CN'
  byId('answer').hidden = !answer
  byId('answer').setAttribute('aria-busy', String(Boolean(answer && answer.asking)))
  if (answer) {
    renderAnswer()
  }
}

function renderAnswer() {
  const drawn = Boolean(answer.findings)
  for (const id of ['string-title', 'string']) {
    byId(id).hidden = !drawn || !answer.canonical
  }
  byId('string-title').nextElementSibling.hidden = !drawn || !answer.canonical
  byId('findings').replaceChildren()
  byId('string').replaceChildren()
  if (answer.asking) {
    byId('verdict').replaceChildren(make('p', {}, text('asking')))
    return
  }
  if (!drawn) {
    byId('verdict').replaceChildren(make('p', { className: 'verdict error' }, text('failed') + (answer.failed || text('offline'))))
    return
  }
  const first = answer.findings[0]
  const title = answer.ok ? text('ok') : text('wrong') + (language === 'zh' ? '：' : ': ') + first[language].what
  byId('verdict').replaceChildren(make('p', { className: 'verdict ' + (answer.ok ? 'info' : first.severity), id: 'verdict-text' }, title))
  if (answer.canonical) {
    byId('string').replaceChildren(...parts(answer.canonical))
  }
  byId('findings').replaceChildren(...answer.findings.map(finding))
}

// parts are the four parameters of the string, each on a line of its own. The URL is
// the last and may hold & and = itself.
function parts(canonical) {
  const found = canonical.match(/^jsapi_ticket=([^&]*)&noncestr=(.*?)&timestamp=([^&]*)&url=([^]*)$/)
  if (!found) {
    return [make('li', {}, make('code', {}, canonical))]
  }
  const changed = changedFields()
  return [['jsapi_ticket', found[1], text('ticket')], ['noncestr', found[2]], ['timestamp', found[3]], ['url', found[4]]].map(([name, value, note], i) => {
    const line = make('li', { id: 'part-' + name }, make('code', {}, make('b', {}, (i ? '&' : '') + name + '='), marked(value, changed[name])))
    if (note) {
      line.append(make('small', {}, note))
    }
    return line
  })
}

// changedFields are the parts that a finding compares, with the place.
function changedFields() {
  const found = {}
  for (const f of answer.findings) {
    for (const e of f.evidence) {
      const name = { url: 'url', nonceStr: 'noncestr', timestamp: 'timestamp' }[e.field]
      if (name && e.position !== null && !(name in found) && f.severity !== 'info') {
        found[name] = e.position
      }
    }
  }
  return found
}

// marked is a text whose character at a place stands out; a place behind its end
// marks the end.
function marked(value, position) {
  if (position === undefined || position === null) {
    return value
  }
  const characters = Array.from(value) // positions count characters, not UTF-16 units
  const span = make('span', {}, characters.slice(0, position).join(''))
  span.append(make('mark', {}, characters[position] || '\u00a0'), characters.slice(position + 1).join(''))
  return span
}

function finding(f) {
  const said = f[language]
  const item = make('li', { className: 'finding ' + f.severity },
    make('p', { className: 'what' }, make('span', { className: 'severity' }, text(f.severity === 'error' ? 'error_severity' : f.severity)), ' ', said.what),
    make('p', {}, make('b', {}, text('why') + ' '), said.why),
    make('p', {}, make('b', {}, text('what_to_do') + ' '), said.do),
    ...f.evidence.map(evidence),
    make('p', { className: 'code' }, make('code', {}, f.code)))
  item.dataset.code = f.code
  return item
}

function evidence(e) {
  const box = make('dl', {},
    make('dt', {}, e.field + ' · ' + text('should')), make('dd', {}, make('code', {}, e.expected ? marked(e.expected, e.position) : text('nothing'))),
    make('dt', {}, e.field + ' · ' + text('was')), make('dd', {}, make('code', {}, e.found ? marked(e.found, e.position) : text('nothing'))))
  if (e.position !== null) {
    box.append(make('dt', {}, ''), make('dd', { className: 'note' }, text('at').replace('{n}', e.position + 1)))
  }
  return box
}

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
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
