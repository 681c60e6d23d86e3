'use strict'

// What the page says, in both languages.
const words = {
  zh: {
    language: 'English',
    title: 'invalid signature?',
    about: '粘贴页面 URL、签名三元组和报错，查看原因与处理办法。内容只发送到本服务，不会保存；ticket 不会显示。',
    page: '页面',
    url: '页面 URL', url_note: '注册时的 location.href',
    kind: '哪种注册', kind_unknown: '不确定',
    triple: '注册时使用的签名',
    paste: '粘贴三元组', paste_note: 'JSON、wx.config({…}) 或查询串都可以，会填入下面的字段',
    error: '页面看到的报错',
    error_text: '报错原文或 errcode', user_agent: 'navigator.userAgent', entry_url: '进入页面时的 URL（单页应用）',
    go: '诊断', reset: '清空',
    answer: '结果',
    ok: '没有发现问题',
    wrong: '原因',
    string: '应当签名的字符串', string_note: '各部分以 & 相连，共四个参数，顺序固定。标出的是第一处不同的字符。',
    ticket: 'ticket 不显示',
    should: '应为', was: '实际', at: '从第 {n} 个字符起不同', nothing: '（空）',
    why: '为什么', what_to_do: '怎么办',
    error_severity: '确定', warning: '可能', info: '提示',
    asking: '正在诊断…',
    failed: '诊断失败：', offline: '无法连接服务。',
    platform: '企业微信自己的签名校验工具（需要填写 ticket，请勿在不可信的环境使用）：'
  },
  en: {
    language: '中文',
    title: 'invalid signature?',
    about: 'Paste the page\'s URL, the triple and the error, and see the cause and what to do. What you paste goes to this service only and is not kept; no ticket is shown.',
    page: 'The page',
    url: 'Page URL', url_note: 'its location.href when it registered',
    kind: 'Which registration', kind_unknown: 'not sure',
    triple: 'The signature that it registered with',
    paste: 'Paste the triple', paste_note: 'JSON, wx.config({…}) or a query string will do: it fills the fields below',
    error: 'What the page saw',
    error_text: 'The error\'s words, or its errcode', user_agent: 'navigator.userAgent', entry_url: 'The URL it was opened with (single-page app)',
    go: 'Explain', reset: 'Clear',
    answer: 'Answer',
    ok: 'Nothing wrong was found',
    wrong: 'The cause',
    string: 'The string that has to be signed', string_note: 'Four parameters joined by &, in this order. Marked is the first character that differs.',
    ticket: 'the ticket is not shown',
    should: 'should be', was: 'was', at: 'they differ from character {n} on', nothing: '(empty)',
    why: 'Why', what_to_do: 'What to do',
    error_severity: 'proved', warning: 'likely', info: 'good to know',
    asking: 'Looking…',
    failed: 'It could not be explained: ', offline: 'the service cannot be reached.',
    platform: 'The platform\'s own checker (it wants the ticket: use it only where you trust the machine):'
  }
}
