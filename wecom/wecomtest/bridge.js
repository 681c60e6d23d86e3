// A WeixinJSBridge for an ordinary browser.
//
// WeCom and WeChat put an object of this name into every page that they open; the
// JS-SDK (@wecom/jssdk, and the older jweixin) is a layer above it. This script
// makes one where there is none, so that a page with the real SDK runs in any
// browser. It must be loaded before the SDK:
//
//   <script src="http://127.0.0.1:8090/sim/bridge.js"></script>
//   <script src="wecom-jssdk.js"></script>
//
// What it does is what the client does:
//   * a registration (preVerifyJSAPI, agentConfig) is checked: the simulator is
//     asked at /sim/jsapi whether signature, ticket, page and app belong together;
//   * every other API needs such a registration of the right identity, made for
//     the page's present URL, with the API in its jsApiList. Then it answers
//     something plausible from the table below.
//
// Attributes of the script tag, or parameters of the script's URL:
//   ua     wecom (default), wechat or keep: what navigator.userAgent says. One that
//          names WeCom or WeChat already is kept.
//   entry  what getContext answers with (default single_chat_tools)
//   sim    where the simulator is (default: where this script came from)
//
// For tests, window.wecomsim has the registrations, a log of all calls, and
// emit(event, data), which lets the client send an event.
(function () {
  'use strict'

  if (window.WeixinJSBridge) {
    return // a real client, or this script a second time
  }

  const script = document.currentScript
  const source = new URL(script && script.src ? script.src : location.href, location.href)
  const option = (name, otherwise) => (script && script.dataset[name]) || source.searchParams.get(name) || otherwise

  const sim = option('sim', source.origin).replace(/\/$/, '')
  const entry = option('entry', 'single_chat_tools')
  const entryURL = location.href // WeChat on a phone checks the URL that the page was opened with

  // ---- the user agent: the SDK looks for wxwork/ and MicroMessenger in it ----

  const client = { wecom: ' wxwork/4.1.36 (MicroMessenger/6.2)', wechat: ' MicroMessenger/8.0.50' }[option('ua', 'wecom')]
  if (client && !/wxwork|micromessenger/i.test(navigator.userAgent)) {
    const userAgent = navigator.userAgent + client
    Object.defineProperty(navigator, 'userAgent', { get: () => userAgent, configurable: true })
  }
  const isWeCom = /wxwork/i.test(navigator.userAgent)
  const isIOS = /\b(iPhone|iPad|iPod)\b/i.test(navigator.userAgent) || (/Mac/i.test(navigator.platform) && navigator.maxTouchPoints > 2)
  const isAndroid = /\bAndroid\b/i.test(navigator.userAgent)
  const isPhone = !/Win|Mac/i.test(navigator.platform) || isIOS

  // ---- registrations ----

  // By the simulator's word for the identity: the page it is for, the signature
  // it was made with, and which APIs the client allows: {name: true or false}.
  const registrations = {}

  const withoutHash = url => url.split('#')[0]

  // The URL that the client checks a registration for.
  function checkedURL (kind) {
    return kind === 'config' && !isWeCom && isPhone ? entryURL : location.href
  }

  async function register (name, kind, question) {
    const url = checkedURL(kind)
    let verdict
    try {
      const response = await fetch(sim + '/sim/jsapi', {
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
    registrations[kind] = {
      page: withoutHash(url), signature: question.signature, allows: verdict.checkResult, thirdParty: verdict.third_party
    }
    return { err_msg: verdict.err_msg, checkResult: verdict.checkResult }
  }

  const text = value => value === undefined || value === null ? '' : String(value)

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

  // ---- APIs ----

  const fail = (name, why) => ({ err_msg: name + ':' + why })

  // Some of the client's names are parts of an API that is listed under another.
  const listedAs = {
    sendAppMessage: 'menu:share:appmessage',
    shareTimeline: 'menu:share:timeline',
    shareWechat: 'menu:share:wechat',
    shareQQ: 'menu:share:qq',
    shareWeiboApp: 'menu:share:weiboApp',
    shareQZone: 'menu:share:QZone'
  }

  // What an API answers with: an object for success, a string for the reason of a
  // failure. An API that is not here succeeds without further fields.
  const answers = {
    getContext: () => ({ entry }),
    scanQRCode: p => {
      const result = 'https://work.weixin.qq.com/?scanned=' + (p.needResult ? 'here' : 'there')
      return { resultStr: isIOS ? JSON.stringify({ scan_code: { scan_result: result } }) : result }
    },
    geoLocation: p => ({ latitude: 23.1291, longitude: 113.2644, speed: 0, accuracy: 30, type: p.type }),
    getNetworkType: () => ({ networkType: 'wifi' }),
    getClipboardData: () => ({ data: 'simulated' }),
    chooseImage: () => {
      const localIds = ['wxLocalResource://simulated1']
      return { localIds: isAndroid ? JSON.stringify(localIds) : localIds, sourceType: 'album' }
    },
    uploadImage: () => ({ serverId: 'simulated-media-id' }),
    downloadImage: () => ({ localId: 'wxLocalResource://simulated2' }),
    getLocalImgData: () => ({ localData: 'data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==' }),
    stopRecord: () => ({ localId: 'wxLocalResource://voice1' }),
    uploadVoice: () => ({ serverId: 'simulated-voice-id' }),
    downloadVoice: () => ({ localId: 'wxLocalResource://voice2' }),
    translateVoice: () => ({ translateResult: '模拟的语音' }),
    selectEnterpriseContact: (p, registration) => {
      const thirdParty = registration && registration.thirdParty // names are not for suites
      const show = (id, name) => thirdParty ? { id } : { id, name }
      const types = p.type || ['user']
      return {
        result: JSON.stringify({
          selectAll: false,
          departmentList: types.includes('department') ? [show('1', '模拟部门')] : [],
          userList: types.includes('user') ? [show('zhangsan', '张三')] : []
        })
      }
    },
    selectExternalContact: () => ({ userIds: ['wmSimulatedExternalContact0001'] }),
    getCurExternalContact: () => ['contact_profile', 'single_chat_tools', 'single_kf_tools'].includes(entry)
      ? { userId: 'wmSimulatedExternalContact0001' }
      : 'fail without context of external contact',
    getCurExternalChat: () => entry === 'group_chat_tools'
      ? { chatId: 'wrSimulatedChat0001' }
      : 'fail without context of external contact',
    openEnterpriseChat: () => ({ chatId: 'wrSimulatedChat0002' }),
    createChatWithMsg: () => ({ chatId: 'wrSimulatedChat0003' }),
    getShareInfo: () => ({ shareInfo: 'simulated' }),
    getApprovalSelectedItems: () => ({ selectedData: '[]' })
  }

  // checkJsApi asks only what the client is able to do, so nothing forbids it.
  function checkJsApi (p) {
    const checkResult = {}
    const known = [].concat(...Object.keys(registrations).map(kind => Object.keys(registrations[kind].allows)))
    for (const name of p.jsApiList || []) {
      checkResult[name] = name in answers || known.includes(name)
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
    const candidates = registrationFor(params)
    if (candidates.length === 0) {
      return fail(name, 'permission denied')
    }
    const listed = listedAs[name] || name
    const registration = candidates.find(r => r.allows[listed] === true)
    if (!registration) {
      // in a list, but not for this identity; or in no list at all
      return fail(name, candidates.some(r => r.allows[listed] === false) ? 'fail no permission' : 'fail_nopermission')
    }
    const answer = (answers[name] || (() => ({})))(params, registration)
    return typeof answer === 'string' ? fail(name, answer) : Object.assign({ err_msg: name + ':ok' }, answer)
  }

  // ---- the bridge ----

  const listeners = {}
  const log = []

  function invoke (name, params, callback) {
    if (typeof params === 'function') {
      callback = params
      params = {}
    }
    params = params || {}
    const call = { name, params }
    log.push(call)
    // The client always answers later, never inside invoke.
    Promise.resolve().then(() => configuration[name] ? configuration[name](params) : callAPI(name, params)).then(result => {
      call.result = Object.assign({}, result) // the SDK changes what it is given
      console.debug('[wecomsim] ' + name + ' → ' + result.err_msg)
      if (typeof callback === 'function') {
        callback(result)
      }
    })
  }

  function on (event, callback) {
    listeners[event] = (listeners[event] || []).concat(callback)
  }

  function emit (event, data) {
    for (const listener of listeners[event] || []) {
      listener(data || {})
    }
  }

  window.WeixinJSBridge = { invoke, call: (name, params, callback) => invoke(name, params, callback), on, log: () => {} }
  window.wecomsim = { registrations, log, emit, entry, sim }

  const ready = () => document.dispatchEvent(new Event('WeixinJSBridgeReady'))
  setTimeout(ready, 0) // for whoever began to listen before
})()
