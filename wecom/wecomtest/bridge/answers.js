// ---- what the client answers ----

// After a moment something happens by itself, as with a real client.
const soon = (event, data) => { setTimeout(() => emit(event, data), 50) }
const ok = {}

// What the page did is there when it asks: recordings, pictures, the clipboard, ….
const world = { clipboard: '', recording: null, files: {}, served: {}, approvals: {}, selected: {}, todos: 0, made: 0, bluetooth: false, discovering: false, share: false }

// A picture that an <img> can show: a localId may be its src.
function picture () {
  const number = ++world.made
  const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240" fill="hsl(' + number * 67 % 360 +
    ',40%,40%)"/><text x="160" y="130" font-size="32" fill="#fff" text-anchor="middle">simulated ' + number + '</text></svg>'
  return 'data:image/svg+xml,' + encodeURIComponent(svg)
}

function newFile (kind) {
  const localId = kind === 'image' ? picture() : 'wxLocalResource://' + kind + ++world.made
  world.files[localId] = kind
  return localId
}

// A serverId is a media_id.
function upload (localId, kind) {
  if (world.files[localId] !== kind) {
    return 'fail invalid parameter'
  }
  const serverId = 'simulated-' + kind + '-' + ++world.made
  world.served[serverId] = localId
  return { serverId }
}

const download = (serverId, kind) => serverId ? { localId: world.served[serverId] || newFile(kind) } : 'fail invalid parameter'
const known = (localId, kind) => world.files[localId] === kind ? ok : 'fail invalid parameter'

const position = () => ({ latitude: 23.1291, longitude: 113.2644, speed: 0, accuracy: 30 })
const wifi = { SSID: 'simulated', BSSID: '02:00:00:00:00:01', secure: true, signalStrength: 80 }
const device = { name: 'simulated', deviceId: '02:00:00:00:00:02', RSSI: -50, localName: 'simulated', advertisData: btoa('simulated'), advertisServiceUUIDs: ['FEE7'], serviceDataV2: {} }
const iBeacon = { uuid: 'FDA50693-A4E2-4FB1-AFCF-C6EB07647825', major: '1', minor: '2', proximity: 1, accuracy: 0.5, rssi: -40 }
const externalUser = 'wmSimulatedExternalContact0001'
const link = 'https://doc.weixin.qq.com/simulated'
const bluetoothState = () => ({ available: world.bluetooth, discovering: world.discovering })

// A message of openExistedChatWithMsg and createChatWithMsg, which take a link only.
function badLink (msg) {
  if (msg && msg.msgtype !== 'link') {
    return 'fail_unsupported_msgtype'
  }
  return msg && !(msg.link && msg.link.url) ? 'fail_msg_link_missing_url' : ''
}

const messageTypes = ['text', 'image', 'link', 'video', 'file', 'news', 'miniprogram', 'msgmenu', 'channels_shop_product']

// Names are not for the apps of suites.
function people (p, registration) {
  const show = (id, name) => registration.appKind === 'internal' ? { id, name, avatar: '' } : { id }
  const types = [].concat(p.type || ['user'])
  return {
    selectAll: false,
    departmentList: types.includes('department') ? [show('1', '模拟部门')] : [],
    userList: types.includes('user') ? [show('zhangsan', '张三')].concat(p.mode === 'single' ? [] : [show('lisi', '李四')]) : []
  }
}

function approval (p) {
  if (!['10001', '10002'].includes(String(p.oaType))) {
    return 'fail invalid parameter'
  }
  if (!p.templateId) {
    return '审批模板ID不正确'
  }
  if (p.oaType === '10002' && !world.approvals[p.thirdNo]) {
    return '审批申请不存在'
  }
  if (p.oaType === '10001' && world.approvals[p.thirdNo]) {
    return '已存在相同的审批编号'
  }
  world.approvals[p.thirdNo] = true
  return ok
}

// By the SDK's name of the API: an object for success, a string for the reason of a
// failure, or a function of what was asked that answers with one of them. Every API
// of the catalogue that is called is here; those that listen are in events.
const answers = {
  getContext: () => Object.assign({ entry: settings.entry }, world.share ? { shareTicket: 'simulated-share-ticket' } : {}),

  selectEnterpriseContact: (p, registration) => ({ result: JSON.stringify(people(p, registration)) }),
  openUserProfile: p => p.userid ? ok : 'fail invalid parameter',
  selectPrivilegedContact: () => ({ result: { selectedTicket: 'simulated-selected-ticket', expiresIn: 7200, selectedUserCount: '1', userList: [{ openUserId: 'woSimulatedMember0001' }] } }),

  selectExternalContact: () => ({ userIds: [externalUser] }),
  getCurExternalContact: () => ({ userId: externalUser }),
  getCurExternalChat: () => ({ chatId: 'wrSimulatedChat0001' }),
  selectExternalChat: () => ({ chatIdList: ['wrSimulatedChat0001'] }),
  navigateToAddCustomer: ok,
  shareToExternalContact: ok,
  shareToExternalChat: ok,
  shareToExternalMoments: ok,
  updateMomentsSetting: ok,
  navigateToKfChat: p => p.openKfId ? ok : 'fail invalid parameter',

  openEnterpriseChat: p => ({ chatId: p.chatId || 'wrSimulatedChat0002' }),
  openExistedChatWithMsg: p => !p.chatId ? 'fail invalid parameter' : badLink(p.msg) || ok,
  createChatWithMsg: p => badLink(p.msg) || { chatId: 'wrSimulatedChat0003' },
  updateEnterpriseChat: p => p.chatId ? ok : 'fail invalid parameter',
  sendChatMessage: p => !messageTypes.includes(p.msgtype) ? 'fail_unsupported_msgtype'
    : p.msgtype === 'miniprogram' && !(p.miniprogram && p.miniprogram.imgUrl) ? 'fail invalid imgUrl' : ok,
  hideChatAttachmentMenu: p => Array.isArray(p.menuList) ? ok : 'invalid menuList',
  openThirdAppServiceChat: ok,

  selectCorpGroupContact: () => ({
    result: JSON.stringify({
      departmentList: [],
      userList: [{ id: 'zhangsan' }],
      corpGroupDepartmentList: [],
      corpGroupUserList: [{ corpId: 'ww0simulated0group', id: 'wangwu' }],
      chainDepartmentList: [],
      chainUserList: []
    })
  }),
  createCorpGroupChat: () => ({ chatId: 'wrSimulatedChat0004' }),
  updateCorpGroupChat: p => p.chatId ? ok : 'fail invalid parameter',
  getCurCorpGroupChat: () => ({ chatId: 'wrSimulatedChat0005' }),
  getCurCorpGroupContact: () => ({ corpId: 'ww0simulated0group', userId: 'wangwu' }),

  scanQRCode: p => {
    const result = settings.scan || 'https://work.weixin.qq.com/?scanned=' + (p.needResult ? 'here' : 'there')
    return p.needResult ? { resultStr: isIOS ? JSON.stringify({ scan_code: { scan_result: result } }) : result } : ok
  },

  getLocation: p => Object.assign(position(), { type: p.type }),
  openLocation: p => Number.isFinite(p.latitude) && Number.isFinite(p.longitude) ? ok : 'fail invalid parameter',
  startAutoLBS: () => { soon('auto:location:report', position()); return ok },
  stopAutoLBS: ok,

  startRecord: () => {
    if (world.recording) {
      return 'fail'
    }
    world.recording = setTimeout(() => { // a recording ends by itself after a minute
      world.recording = null
      emit('onVoiceRecordEnd', { localId: newFile('voice') })
    }, 60000)
    return ok
  },
  stopRecord: () => {
    if (!world.recording) {
      return 'fail'
    }
    clearTimeout(world.recording)
    world.recording = null
    return { localId: newFile('voice') }
  },
  playVoice: p => { soon('onVoicePlayEnd', { localId: p.localId }); return known(p.localId, 'voice') },
  pauseVoice: p => known(p.localId, 'voice'),
  stopVoice: p => known(p.localId, 'voice'),
  uploadVoice: p => upload(p.localId, 'voice'),
  downloadVoice: p => download(p.serverId, 'voice'),
  translateVoice: p => known(p.localId, 'voice') === ok ? { translateResult: '模拟的语音' } : 'fail invalid parameter',

  chooseImage: p => {
    const localIds = Array.from({ length: Math.min(p.count || 1, 2) }, () => newFile('image'))
    return { localIds: isAndroid ? JSON.stringify(localIds) : localIds, sourceType: 'album' }
  },
  previewImage: p => p.urls && p.urls.length ? ok : 'fail invalid parameter',
  uploadImage: p => upload(p.localId, 'image'),
  downloadImage: p => download(p.serverId, 'image'),
  getLocalImgData: p => known(p.localId, 'image') === ok ? { localData: p.localId } : 'fail invalid parameter',

  previewFile: p => p.url && p.size > 0 ? ok : 'fail invalid parameter',
  chooseMessageFile: p => ({ tempFiles: [{ localId: newFile('file'), size: 1024, name: 'simulated.pdf', type: p.type === 'image' || p.type === 'video' ? p.type : 'file', time: 1700000000 }] }),
  getLocalFileData: p => known(p.localId, 'file') === ok ? { localData: btoa('simulated') } : 'fail invalid parameter',

  createDoc: () => ({ result: { selectedFileUrls: link } }),
  wedocSelectDoc: () => ({ result: { selectedFileUrls: link, selectedFileInfos: [{ url: link, type: 3 }] } }),
  wedriveSelectDir: () => ({ result: { selectedTicket: 'simulated-selected-ticket' } }),
  wedriveSelectFile: () => ({ result: { selectedFileUrls: [link], selectedFileInfos: [{ url: link, type: 3 }] } }),
  wedriveSelectFileForShare: () => ({ result: { selectedFileUrls: [link] } }),
  wedriveSelectFileForDownload: () => ({ result: { selectedTickets: ['simulated-selected-ticket'] } }),
  selectDatazoneDoc: () => ({ docList: [{ docid: 'simulated-doc', url: link, type: 3 }] }),
  selectDatazoneFile: () => ({ fileList: [{ fileId: 'simulated-file', url: link }] }),

  shareAppMessage: ok,
  shareWechatMessage: ok,
  onMenuShareAppMessage: ok, // the call that follows the event of the menu
  onMenuShareTimeline: ok,
  onMenuShareWechat: ok,
  onMenuShareQQ: ok,
  onMenuShareWeibo: ok,
  onMenuShareQZone: ok,
  updateTimelineShareData: ok,
  updateAppMessageShareData: ok,
  getShareInfo: p => p.shareTicket ? { encryptedData: btoa('simulated'), iv: btoa('simulated-16bytes') } : 'fail invalid parameter',
  setShareAttr: p => { world.share = Boolean(p.withShareTicket); return ok },

  hideOptionMenu: ok,
  showOptionMenu: ok,
  closeWindow: () => { console.info('[wecomsim] The client would close the page now.'); return ok },
  hideMenuItems: p => Array.isArray(p.menuList) ? ok : 'fail invalid parameter',
  showMenuItems: p => Array.isArray(p.menuList) ? ok : 'fail invalid parameter',
  hideAllNonBaseMenuItem: ok,
  showAllNonBaseMenuItem: ok,
  openDefaultBrowser: p => p.url ? ok : 'fail invalid parameter',
  setKeepScreenOn: ok,
  setClipboardData: p => { world.clipboard = text(p.data); return ok },
  getClipboardData: () => ({ data: world.clipboard || 'simulated' }),
  printFile: p => p.fileId ? { result: { jobId: 'simulated-job' } } : 'fail invalid parameter',

  thirdPartyOpenPage: approval,
  saveApprovalSelectedItems: p => { world.selected[p.key] = p.selectedData; return ok },
  getApprovalSelectedItems: p => ({ selectedData: world.selected[p.key] || '[]' }),

  startLiving: p => ({ livingId: p.livingId || 'simulated-living' }),
  replayLiving: p => p.livingId ? ok : 'fail invalid parameter',
  downloadLivingReplay: p => p.livingId ? ok : 'fail invalid parameter',
  startMeeting: p => ({ meetingId: p.meetingId || 'simulated-meeting' }),
  checkSchedule: ok,
  createTodo: () => ({ todoId: 'simulated-todo-' + ++world.todos }),
  viewTodo: p => p.todoId ? ok : 'fail invalid parameter',
  enterHWOpenTalk: ok,
  queryCurrHWOpenTalk: () => ({ inTalkType: 'None', ticket: '' }),
  startWecast: ok,

  launchMiniprogram: p => p.appid ? ok : 'fail invalid parameter',
  openAppManage: ok,
  openAppPurchase: ok,
  openAppComment: ok,
  openAppDeviceDataAuth: ok,
  enterpriseVerify: ok,
  claimClassAdmin: () => ({ departmentIds: ['1'] }),

  createExternalPayment: () => ({ paymentId: 'simulated-payment' }),
  refundExternalPayment: p => p.paymentId ? ok : 'fail invalid parameter',
  createSchoolPayment: () => ({ paymentId: 'simulated-payment' }),
  chooseInvoice: () => ({ choose_invoice_info: [{ card_id: 'simulated-card', encrypt_code: 'simulated', app_id: 'wxsimulated' }] }),
  openEnterpriseRedPacket: ok,

  addDevice: ok,
  discoverDevice: ok,
  openDeviceProfile: p => p.deviceSn ? ok : 'fail_device_not_found',

  getNetworkType: () => offline() ? { networkType: 'none' } : { networkType: 'wifi' },
  startWifi: ok,
  stopWifi: ok,
  connectWifi: p => { soon('onWifiConnected', { wifi: Object.assign({}, wifi, { SSID: p.SSID, BSSID: p.BSSID }) }); return ok },
  getWifiList: () => { soon('onGetWifiList', { wifiList: [wifi] }); return ok },
  getConnectedWifi: () => ({ wifi }),

  openBluetoothAdapter: () => { world.bluetooth = true; soon('onBluetoothAdapterStateChange', bluetoothState()); return ok },
  closeBluetoothAdapter: () => { world.bluetooth = world.discovering = false; soon('onBluetoothAdapterStateChange', bluetoothState()); return ok },
  getBluetoothAdapterState: bluetoothState,
  startBluetoothDevicesDiscovery: () => { world.discovering = true; soon('onBluetoothDeviceFound', { devices: [Object.assign({}, device)] }); return ok },
  stopBluetoothDevicesDiscovery: () => { world.discovering = false; return ok },
  getBluetoothDevices: () => ({ devices: [Object.assign({}, device)] }),
  getConnectedBluetoothDevices: () => ({ devices: [{ name: device.name, deviceId: device.deviceId }] }),
  createBLEConnection: p => { soon('onBLEConnectionStateChange', { deviceId: p.deviceId, connected: true }); return ok },
  closeBLEConnection: p => { soon('onBLEConnectionStateChange', { deviceId: p.deviceId, connected: false }); return ok },
  getBLEDeviceServices: () => ({ services: [{ uuid: 'FEE7', isPrimary: true }] }),
  getBLEDeviceCharacteristics: () => ({ characteristics: [{ uuid: 'FEC8', properties: { read: true, write: true, notify: true, indicate: false } }] }),
  readBLECharacteristicValue: p => { soon('onBLECharacteristicValueChange', value(p)); return ok },
  writeBLECharacteristicValue: ok,
  notifyBLECharacteristicValueChange: p => { soon('onBLECharacteristicValueChange', value(p)); return ok },
  startBeaconDiscovery: () => { soon('onBeaconServiceChange', { available: true, discovering: true }); soon('onBeaconUpdate', { beacons: [iBeacon] }); return ok },
  stopBeaconDiscovery: () => { soon('onBeaconServiceChange', { available: true, discovering: false }); return ok },
  getBeacons: () => ({ beacons: [iBeacon] }),

  startSearchBeacons: () => { soon('onBeaconsInRange', { beacons: [wechatBeacon] }); return ok },
  stopSearchBeacons: ok,
  addCard: p => ({ card_list: (p.card_list || []).map(c => ({ card_id: c.card_id, card_ext: c.card_ext, is_succ: true })) }),
  chooseCard: () => ({ choose_card_info: [{ card_id: 'simulated-card', encrypt_code: 'simulated' }] }),
  openCard: ok,
  consumeAndShareCard: ok,
  openProductSpecificView: ok,
  chooseWXPay: ok,
  openAddress: () => ({
    userName: '张三', telNumber: '13800000000', addressPostalCode: '510000', proviceFirstStageName: '广东省', addressCitySecondStageName: '广州市', addressCountiesThirdStageName: '海珠区', addressDetailInfo: '模拟路 1 号', nationalCode: '440105'
  }),
  openBusinessView: () => ({ extraData: isAndroid ? '{"simulated":true}' : { simulated: true } })
}

const value = p => ({ deviceId: p.deviceId, serviceId: p.serviceId, characteristicId: p.characteristicId, value: btoa('simulated') })
const wechatBeacon = { uuid: iBeacon.uuid, major: 1, minor: 2, accuracy: '0.5', proximity: '1', rssi: '-40' }

// What the client sends to an API that listens: the event's name, and its data.
const events = {
  onLocationChange: ['auto:location:report', position],
  onVoiceRecordEnd: ['onVoiceRecordEnd', () => ({ localId: newFile('voice') })],
  onVoicePlayEnd: ['onVoicePlayEnd', () => ({ localId: newFile('voice') })],
  onMenuShareAppMessage: ['menu:share:appmessage'],
  onMenuShareTimeline: ['menu:share:timeline'],
  onMenuShareWechat: ['menu:share:wechat'],
  onMenuShareQQ: ['menu:share:qq'],
  onMenuShareWeibo: ['menu:share:weiboApp'],
  onMenuShareQZone: ['menu:share:QZone'],
  onHistoryBack: ['historyBack'],
  onUserCaptureScreen: ['onUserCaptureScreen'],
  onNetworkStatusChange: ['onNetworkStatusChange', () => ({ isConnected: !offline(), networkType: offline() ? 'none' : 'wifi' })],
  onWifiConnected: ['onWifiConnected', () => ({ wifi })],
  onGetWifiList: ['onGetWifiList', () => ({ wifiList: [wifi] })],
  onBluetoothAdapterStateChange: ['onBluetoothAdapterStateChange', bluetoothState],
  onBluetoothDeviceFound: ['onBluetoothDeviceFound', () => ({ devices: [Object.assign({}, device)] })],
  onBLEConnectionStateChange: ['onBLEConnectionStateChange', () => ({ deviceId: device.deviceId, connected: true })],
  onBLECharacteristicValueChange: ['onBLECharacteristicValueChange', () => value({ deviceId: device.deviceId, serviceId: 'FEE7', characteristicId: 'FEC8' })],
  onBeaconUpdate: ['onBeaconUpdate', () => ({ beacons: [iBeacon] })],
  onBeaconServiceChange: ['onBeaconServiceChange', () => ({ available: true, discovering: true })],
  onSearchBeacons: ['onBeaconsInRange', () => ({ beacons: [wechatBeacon] })]
}

// happen lets the client send the event of an API that listens, as if its cause had
// come; a client without that API never sends it.
function happen (name) {
  if (!runsHere(find(name))) {
    return []
  }
  const [event, data] = events[name]
  const heard = emit(event, data ? data() : {})
  if (name === 'onHistoryBack' && !heard.includes(false)) { // false keeps the user on the page
    history.back()
  }
  return heard
}

// How the client words that a page was opened from elsewhere, where it has words of its own.
const wrongEntry = {
  getCurCorpGroupChat: 'without context of corpgroup contact',
  getCurCorpGroupContact: 'without context of corpgroup contact',
  hideChatAttachmentMenu: 'without context of chat_attachment'
}

// What does not work without a network.
const needsNetwork = ['uploadImage', 'downloadImage', 'uploadVoice', 'downloadVoice', 'translateVoice', 'previewFile', 'sendChatMessage', 'shareAppMessage',
  'shareWechatMessage', 'shareToExternalContact', 'shareToExternalChat', 'shareToExternalMoments', 'openEnterpriseChat', 'openExistedChatWithMsg',
  'createChatWithMsg', 'updateEnterpriseChat', 'createCorpGroupChat', 'updateCorpGroupChat', 'createDoc', 'createTodo', 'startMeeting', 'startLiving', 'thirdPartyOpenPage']

// What the user can cancel.
const asksTheUser = ['selectEnterpriseContact', 'selectPrivilegedContact', 'selectExternalContact', 'selectExternalChat', 'selectCorpGroupContact', 'scanQRCode', 'chooseImage',
  'chooseMessageFile', 'openEnterpriseChat', 'createChatWithMsg', 'createCorpGroupChat', 'sendChatMessage', 'shareAppMessage', 'shareWechatMessage', 'shareToExternalContact',
  'shareToExternalChat', 'shareToExternalMoments', 'onMenuShareAppMessage', 'onMenuShareTimeline', 'onMenuShareWechat', 'onMenuShareQQ', 'onMenuShareWeibo', 'onMenuShareQZone',
  'wedocSelectDoc', 'wedriveSelectDir', 'wedriveSelectFile', 'wedriveSelectFileForShare', 'wedriveSelectFileForDownload', 'selectDatazoneDoc', 'selectDatazoneFile', 'createDoc',
  'createTodo', 'startMeeting', 'startLiving', 'thirdPartyOpenPage', 'createExternalPayment', 'createSchoolPayment', 'chooseInvoice', 'chooseCard', 'chooseWXPay', 'openAddress',
  'openBusinessView', 'addCard', 'claimClassAdmin', 'enterpriseVerify']
