// The words of the page, in two languages. Those of the APIs are the catalogue's.

const texts = {
  zh: {
    about: '用 suitesign 签名，在真实的 @wecom/jssdk 中注册并调用接口。',
    language: 'English',
    who: '身份', registration: '注册', toolbar: '聊天工具栏', toolbar_note: '先判断入口，再获取当前会话对象。', further: '更多接口',
    client: '客户端', corp_id: '企业 corpId', suite_id: '应用 suiteId', agent_id: 'agentId', registered: '接口使用的注册',
    corp: '企业身份 · config', corp_note: '企业 jsapi_ticket，getConfigSignature',
    agent: '应用身份 · agentConfig', agent_note: '应用 jsapi_ticket，getAgentConfigSignature',
    string: '签名串', secret: '…（只在服务端）', sha1: 'SHA-1',
    flow_context: '打开入口', flow_entry: '入口判断', flow_contact: '会话对象',
    pending: '进行中…', ok: '成功', failed: '失败', idle: '未开始', skipped: '跳过',
    run: '运行', listen: '监听', listening: '监听中…', again: '再走一遍', params: '参数（JSON）', none: '无参数',
    not_in_wechat: '微信中没有应用身份，此项不适用。',
    no_client: '请在企业微信中打开此页面。当前是普通浏览器，也没有配置模拟器。',
    load_failed: '脚本加载失败：',
    entry_hint: 'getCurExternalContact、getCurExternalChat 在此入口不可用，因此不调用。当前入口：',
    needs: '身份：', id_none: '无需注册', id_corp: '企业身份', id_agent: '应用身份', from: '客户端：', entries: '入口：', deprecated: '已废弃，请改用：',
    third_party: '第三方', customized: '代开发', internal: '自建', guide: '勘误：',
    bad_json: '参数不是合法的 JSON：',
    hint_function: '当前客户端没有此接口，要求：',
    hint_permission: '此接口需要应用身份：请提供 agentId 与 getAgentConfigSignature。',
    hint_list: '此接口不在 jsApiList 中，或不允许此应用调用。',
    hint_registered: '页面尚未注册，或地址已变化。',
    hint_entry: '此接口只在这些入口可用：',
    hint_cancel: '用户取消了操作。',
    hint_parameter: '请检查参数。',
    hint_signature: '请核对签名所用的 ticket 类型和页面地址。',
    hint_domain: '请把此域名设为应用的可信域名。',
    hint_network: '网络不可用。'
  },
  en: {
    about: 'Signed by suitesign: registers and calls APIs through the real @wecom/jssdk.',
    language: '中文',
    who: 'Identity', registration: 'Registration', toolbar: 'Chat toolbar', toolbar_note: 'The entry first, then whose chat it is.', further: 'Further APIs',
    client: 'Client', corp_id: 'corpId', suite_id: 'suiteId', agent_id: 'agentId', registered: 'APIs use',
    corp: "The corp's identity · config", corp_note: 'corp jsapi_ticket, getConfigSignature',
    agent: "The app's identity · agentConfig", agent_note: 'agent jsapi_ticket, getAgentConfigSignature',
    string: 'What was signed', secret: '… (stays in the service)', sha1: 'SHA-1',
    flow_context: 'Where the page was opened', flow_entry: 'What works there', flow_contact: 'Whose chat it is',
    pending: 'running…', ok: 'ok', failed: 'failed', idle: 'not started', skipped: 'skipped',
    run: 'Run', listen: 'Listen', listening: 'listening…', again: 'Once more', params: 'Parameters (JSON)', none: 'No parameters',
    not_in_wechat: 'WeChat knows no app identity; this does not apply.',
    no_client: 'Open this page in WeCom. This is an ordinary browser, and no simulator is configured.',
    load_failed: 'Could not load the script ',
    entry_hint: 'getCurExternalContact and getCurExternalChat do not work from this entry, so they are not called: ',
    needs: 'Identity: ', id_none: 'none', id_corp: "the corp's", id_agent: "the app's", from: 'Client: ', entries: 'Entries: ', deprecated: 'Deprecated; instead: ',
    third_party: 'third party', customized: 'customized', internal: 'internal', guide: 'Correction: ',
    bad_json: 'The parameters are not JSON: ',
    hint_function: 'This client does not have it; it needs: ',
    hint_permission: "It needs the app's identity: give agentId and getAgentConfigSignature.",
    hint_list: 'It is not in jsApiList, or this app may not call it.',
    hint_registered: 'The page is not registered, or its address has changed.',
    hint_entry: 'It works from these entries only: ',
    hint_cancel: 'The user cancelled.',
    hint_parameter: 'Check the parameters.',
    hint_signature: 'Check which kind of ticket signed, and for which address.',
    hint_domain: 'Make this host a trusted domain of the app.',
    hint_network: 'There is no network.'
  }
}

let current = /^zh/i.test(navigator.language || 'zh') ? 'zh' : 'en'

export const language = () => current
export const text = key => texts[current][key] || key

export function otherLanguage () {
  current = current === 'zh' ? 'en' : 'zh'
}
