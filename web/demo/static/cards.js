// A card for each group of the catalogue: its APIs, what each asks for, parameters
// that can be edited, and what came of calling it.

import { clientsOf, describe, element, onLanguage } from './page.js'
import { language, text } from './texts.js'

const calls = {} // by the name of the API: {state, result, params}
const answered = {} // by group and field: what an API answered last, for the next one's parameters
let register // what ww.register is on this page

// The first 13 groups are those of every page; the others fold away.
const first = 13

export function showCards (catalogue, registerPage) {
  register = registerPage
  const draw = () => document.getElementById('cards').replaceChildren(
    ...catalogue.groups.slice(0, first).map(group => card(group, catalogue)),
    element('details', { className: 'further' }, element('summary', {}, element('h2', {}, text('further'))),
      ...catalogue.groups.slice(first).map(group => card(group, catalogue))))
  draw()
  onLanguage(draw)
}

// In the catalogue texts are sentences; a title is one without its full stop.
const title = words => words[language()].replace(/[.。]$/, '')

function card (group, catalogue) {
  const heading = element('h2', { id: 'group-' + group.group }, title(group))
  const list = element('ul', {}, ...catalogue.apis.filter(api => api.group === group.group).map(apiItem))
  const section = element('section', {}, heading, list)
  section.setAttribute('aria-labelledby', heading.id)
  return section
}

function apiItem (api) {
  const call = calls[api.name] = calls[api.name] || { state: 'idle', params: api.params ? JSON.stringify(api.params, null, 1) : '' }
  const item = element('li', { id: 'call-' + api.name })
  const state = element('span', { className: 'state' })
  const result = element('pre', { hidden: true })
  result.setAttribute('role', 'status')
  const show = () => {
    item.dataset.state = call.state
    state.textContent = call.state === 'idle' ? '' : text(call.state)
    result.textContent = call.result || ''
    result.hidden = !call.result
  }
  call.show = show
  item.append(element('details', {}, element('summary', { className: 'row' }, element('strong', {}, 'ww.' + api.name), state, element('span', { className: 'note' }, title(api))),
    ...notes(api), ...editor(api, call), element('div', { className: 'row' }, runButton(api, call))), result)
  show()
  return item
}

function notes (api) {
  const kinds = Object.keys(api.identity)
  const ids = new Set(kinds.map(kind => api.identity[kind]))
  const identity = ids.size === 1 && kinds.length === 3 ? text('id_' + [...ids][0]) : kinds.map(kind => text(kind) + ' ' + text('id_' + api.identity[kind])).join(', ')
  const lines = [text('needs') + identity]
  if (api.clients) {
    lines[0] += ' · ' + text('from') + clientsOf(api)
  }
  if (api.entries) {
    lines.push(text('entries') + api.entries.map(e => e.entry).join(', '))
  }
  lines.push(...(api.notes || []).map(note => note[language()]))
  if (api.deprecated) {
    lines.push(text('deprecated') + (api.instead || []).join(', '))
  }
  if (api.correction) {
    lines.push(text('guide') + api.correction[language()])
  }
  return lines.map(line => element('p', { className: 'note' }, line))
}

function editor (api, call) {
  if (!api.params) {
    return []
  }
  const field = element('textarea', { id: 'params-' + api.name, value: call.params, rows: Math.min(12, call.params.split('\n').length), spellcheck: false })
  field.oninput = () => { call.params = field.value }
  call.fill = () => { field.value = call.params }
  return [element('label', { htmlFor: field.id }, text('params')), field]
}

const listens = api => /^on[A-Z]/.test(api.name)

function runButton (api, call) {
  const button = element('button', { type: 'button', disabled: typeof ww === 'undefined' }, text(listens(api) ? 'listen' : 'run'))
  button.setAttribute('aria-label', button.textContent + ' ww.' + api.name)
  button.onclick = () => run(api, call)
  return button
}

export async function run (api, call) {
  const end = (state, result) => {
    call.state = state
    call.result = result
    call.show()
  }
  let params
  try {
    params = api.params ? JSON.parse(call.params) : undefined
  } catch (error) {
    end('failed', text('bad_json') + error.message)
    return
  }
  complete(params, api, call)
  end('pending', listens(api) ? text('listening') : '')
  try {
    const result = await answer(api, params, heard => end('ok', JSON.stringify(heard || {}, null, 1)))
    if (!listens(api)) {
      remember(result, api)
      end('ok', JSON.stringify(result, null, 1))
    }
  } catch (error) {
    end('failed', describe(error, api))
  }
}

async function answer (api, params, heard) {
  if (api.name === 'register') {
    return register()
  }
  if (api.name === 'writeBLECharacteristicValue') { // JSON has no bytes
    params = Object.assign({}, params, { value: new TextEncoder().encode(params.value).buffer })
  }
  if (listens(api)) {
    const listener = data => { heard(data); return false } // false: onHistoryBack keeps the page
    return ww[api.name](api.params ? Object.assign({}, params, { complete: heard }) : listener)
  }
  return ww[api.name](params)
}

// complete fills what is empty with what an earlier call answered: the localId of
// a picture, for example.
function complete (params, api, call) {
  const known = answered[api.group] || {}
  for (const key of Object.keys(params || {})) {
    if (params[key] === '' && known[key]) {
      params[key] = known[key]
    }
  }
  if (params && call.fill) {
    call.params = JSON.stringify(params, null, 1)
    call.fill()
  }
}

function remember (result, api) {
  const known = answered[api.group] = answered[api.group] || {}
  for (const [key, value] of Object.entries(result || {})) {
    if (typeof value === 'string') {
      known[key] = value
    } else if (key === 'localIds') {
      known.localId = value[0]
    } else if (key === 'tempFiles') {
      known.localId = value[0].localId
    }
  }
}
