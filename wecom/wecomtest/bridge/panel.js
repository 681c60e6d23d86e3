// ---- the panel: in a shadow root, so that page and panel do not meet ----

const inChinese = /^zh/i.test(navigator.language || '')
const say = (zh, en) => inChinese ? zh : en

// The settings by their name: how they are called, what they may be, and whether a
// page has to be loaded again to meet them.
const choices = [
  ['client', say('客户端', 'Client'), {
    'wecom-ios': say('企业微信 iOS', 'WeCom, iOS'),
    'wecom-android': say('企业微信 Android', 'WeCom, Android'),
    'wecom-windows': say('企业微信 Windows', 'WeCom, Windows'),
    'wecom-mac': say('企业微信 Mac', 'WeCom, Mac'),
    'wechat-ios': say('微信 iOS', 'WeChat, iOS'),
    'wechat-android': say('微信 Android', 'WeChat, Android'),
    'wechat-windows': say('微信 Windows', 'WeChat, Windows'),
    wecom: say('企业微信，本浏览器', 'WeCom, this browser'),
    wechat: say('微信，本浏览器', 'WeChat, this browser'),
    keep: say('不模拟客户端', 'Neither: as it is')
  }, true],
  ['version', say('客户端版本', 'Its version'), null, true],
  ['entry', say('入口', 'Entry'), Object.fromEntries(catalogue.entries.map(e => [e, e])), true],
  ['identity', say('身份', 'Identity'), { registered: say('按页面注册', 'As the page registers'), corp: say('仅企业身份', "The corp's only") }, true],
  ['kind', say('应用类型', 'Kind of app'), {
    installed: say('按模拟器', 'As the simulator has it'),
    third_party: say('第三方应用', 'Third party'),
    customized: say('代开发应用', 'Customized'),
    internal: say('自建应用', 'Internal')
  }, true],
  ['user', say('用户操作', 'The user'), { confirms: say('确认', 'confirms'), cancels: say('取消', 'cancels') }],
  ['network', say('网络', 'Network'), { online: say('正常', 'works'), offline: say('断开', 'is gone') }],
  ['dark', say('深色模式', 'Dark mode'), { auto: say('跟随浏览器', 'As the browser'), light: say('浅色', 'light'), dark: say('深色', 'dark') }],
  ['scan', say('扫码结果', 'Scan result'), null]
]

const style = `
:host { all: initial; position: fixed; z-index: 2147483647; right: 8px; bottom: 8px; max-width: calc(100vw - 16px);
  --back: #fff; --text: #1f2329; --soft: #5c6470; --line: #b9bec7; --accent: #0b6b3a; --bad: #b3261e; color-scheme: light;
  font: 14px/1.4 system-ui, 'PingFang SC', 'Microsoft YaHei', sans-serif; color: var(--text); }
:host([data-mode=dark]) { --back: #1c1c1e; --text: #f5f5f7; --soft: #b0b0b8; --line: #56565c; --accent: #57d993; --bad: #ff9b8a; color-scheme: dark; }
* { box-sizing: border-box; font: inherit; color: inherit; }
[hidden] { display: none !important; }
.box { display: flex; flex-direction: column; align-items: flex-end; gap: 6px; }
.panel { width: 340px; max-width: 100%; max-height: min(75vh, 640px); overflow: auto; padding: 12px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--back); box-shadow: 0 4px 16px #0003; }
button, select, input { min-height: 32px; padding: 4px 10px; border: 1px solid var(--line); border-radius: 6px; background: var(--back); }
button { cursor: pointer; }
.toggle { min-height: 36px; border-color: var(--accent); border-radius: 18px; box-shadow: 0 2px 8px #0003; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
h2 { margin: 0 0 8px; font-size: 15px; font-weight: 600; }
h3 { margin: 12px 0 6px; font-size: 14px; font-weight: 600; }
label { display: grid; grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); align-items: center; gap: 8px; margin-top: 6px; }
::placeholder { color: var(--soft); opacity: 1; }
select, input { width: 100%; min-width: 0; }
.row { display: flex; flex-wrap: wrap; gap: 8px; margin-top: 8px; }
.row select { flex: 1 1 140px; width: auto; }
p { margin: 4px 0 0; color: var(--soft); font-size: 13px; }
ol { margin: 0; padding: 0; list-style: none; }
li { border-top: 1px solid var(--line); }
summary { display: flex; gap: 8px; padding: 6px 0; cursor: pointer; overflow-wrap: anywhere; }
summary b { flex: 1; font-weight: 600; }
.ok { color: var(--accent); } .bad { color: var(--bad); }
pre { margin: 0 0 8px; padding: 6px; border: 1px solid var(--line); border-radius: 6px; font: 12px/1.4 ui-monospace, Menlo, Consolas, monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
`

function element (tag, properties, ...children) {
  const made = document.createElement(tag)
  for (const name of Object.keys(properties || {})) {
    name in made ? made[name] = properties[name] : made.setAttribute(name, properties[name])
  }
  made.append(...children)
  return made
}

// The log's newest rows are shown; all of it is in wecomsim.log.
const shownCalls = 50

function showPanel () {
  const host = element('wecomsim-panel')
  const root = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet() // a page's policy forbids <style>, and allows this
  sheet.replaceSync(style)
  root.adoptedStyleSheets = [sheet]

  const again = element('p', { hidden: true, role: 'status' }, say('重新加载页面后生效。', 'Takes effect when the page is loaded again.'))
  const panel = element('section', { className: 'panel', id: 'panel', hidden: !settings.open, 'aria-label': say('模拟的企业微信', 'Simulated WeCom') },
    element('h2', {}, say('模拟的企业微信', 'Simulated WeCom')),
    ...choices.map(choice => control(...choice)),
    again,
    element('div', { className: 'row' },
      button(say('重新加载', 'Reload'), () => location.reload()),
      button(say('恢复默认', 'Reset'), () => { forget(); location.reload() })),
    element('h3', {}, say('事件', 'Events')),
    eventRow(),
    element('h3', { id: 'calls' }, say('调用', 'Calls')),
    calls())
  const toggle = element('button', { type: 'button', className: 'toggle', 'aria-expanded': String(settings.open), 'aria-controls': 'panel' })
  toggle.onclick = () => {
    set({ open: !settings.open })
    panel.hidden = !settings.open
    toggle.setAttribute('aria-expanded', String(settings.open))
  }
  panel.onkeydown = event => {
    if (event.key === 'Escape') {
      toggle.click()
      toggle.focus()
    }
  }
  root.append(element('div', { className: 'box' }, panel, toggle))
  const refresh = () => {
    toggle.textContent = (isWeCom ? 'WeCom · ' : 'WeChat · ') + settings.entry + (offline() ? ' · ' + say('断网', 'offline') : '')
    host.dataset.mode = isDark() ? 'dark' : 'light'
  }
  nativeMatch('(prefers-color-scheme: dark)').addEventListener('change', refresh)
  refresh()
  document.body.append(host)

  function control (name, title, values, reload) {
    const input = values
      ? element('select', {}, ...Object.keys(values).map(v => element('option', { value: v }, values[v])))
      : element('input', { type: 'text', autocomplete: 'off', placeholder: name === 'version' ? here.version : '' })
    input.name = name
    input.value = settings[name]
    input.onchange = () => {
      set({ [name]: input.value })
      again.hidden = again.hidden && !reload
      refresh()
      if (reload && values) {
        location.reload()
      }
    }
    return element('label', {}, element('span', {}, title), input)
  }

  function button (title, act) {
    return element('button', { type: 'button', onclick: act }, title)
  }

  function eventRow () {
    const select = element('select', { 'aria-label': say('事件', 'Event') }, ...Object.keys(events).map(name => element('option', { value: name }, name)))
    const heard = element('p', { role: 'status' })
    return element('div', {}, element('div', { className: 'row' }, select, button(say('触发', 'Send'), () => {
      const n = happen(select.value).length
      heard.textContent = n ? say('监听者：', 'Listeners: ') + n : say('页面没有监听它。', 'The page does not listen for it.')
    })), heard)
  }

  function calls () {
    const list = element('ol', { 'aria-labelledby': 'calls' })
    const none = element('p', {}, say('还没有调用。', 'None yet.'))
    const rows = new Map()
    const show = call => {
      none.hidden = true
      const row = rows.get(call) || element('li')
      rows.set(call, row)
      const result = call.result ? call.result.err_msg.slice(call.name.length + 1) : call.listens ? say('监听', 'listens') : call.event ? say('事件', 'event') : '…'
      const good = !call.result || /^(ok|yes)$/.test(result)
      row.replaceChildren(element('details', {},
        element('summary', {}, element('b', {}, call.name), element('span', { className: good ? 'ok' : 'bad' }, result)),
        element('pre', {}, JSON.stringify({ params: call.params, result: call.result }, null, 1))))
      if (!row.parentNode) {
        list.prepend(row)
        while (list.children.length > shownCalls) {
          list.lastChild.remove()
        }
      }
    }
    log.slice(-shownCalls).forEach(show)
    watchers.push(show)
    return element('div', {}, none, list)
  }
}

function forget () {
  try {
    localStorage.removeItem(storageKey)
  } catch (_) {} // no storage, nothing kept
}

if (option('panel', 'on') !== 'off' && window === window.top) {
  if (document.body && document.readyState !== 'loading') {
    showPanel()
  } else {
    document.addEventListener('DOMContentLoaded', showPanel)
  }
}
