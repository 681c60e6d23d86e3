package wecomtest

// What an API of the JS-SDK needs, read from the notes of @wecom/jssdk 2.4.4
// (types/index.d.ts): "must be registered with the app's identity".
type need int

const (
	needsCorp     need = iota // either registration
	needsAgent                // the app's
	needsAgent3rd             // the app's, where the app is a suite's
)

// permitted reports whether a registration with an API in its jsApiList allows it.
// Inside WeCom from 3.0.24 on a page that can sign for its app makes that
// registration only, so it covers what the corp's covers.
func permitted(api string, id Identity, thirdParty bool) bool {
	n, known := jsapis[api]
	switch {
	case !known:
		return false
	case n == needsAgent, n == needsAgent3rd && thirdParty:
		return id == AgentIdentity
	default:
		return true
	}
}

// jsapis knows every API by the SDK's name and by the client's where that differs.
var jsapis = func() map[string]need {
	m := map[string]need{}
	for n, names := range jsapiNames {
		for _, name := range names {
			m[name] = n
		}
	}
	return m
}()

var jsapiNames = map[need][]string{
	needsCorp: {
		"config", "preVerifyJsApi", "preVerifyJSAPI", "agentConfig", "checkJsApi", "getContext", "selectEnterpriseContact",
		"scanQRCode", "getLocation", "geoLocation", "openLocation", "startAutoLBS", "stopAutoLBS", "onLocationChange", "auto:location:report",
		"getNetworkType", "onNetworkStatusChange", "startWifi", "stopWifi", "connectWifi", "getWifiList", "onGetWifiList", "onWifiConnected", "getConnectedWifi",
		"startRecord", "stopRecord", "onVoiceRecordEnd", "playVoice", "pauseVoice", "stopVoice", "onVoicePlayEnd", "uploadVoice", "downloadVoice", "translateVoice",
		"chooseImage", "previewImage", "imagePreview", "uploadImage", "downloadImage", "getLocalImgData", "previewFile",
		"shareAppMessage", "shareWechatMessage", "sendAppMessage", "shareTimeline", "shareWechat", "shareQQ", "shareWeiboApp", "shareQZone",
		"updateTimelineShareData", "updateAppMessageShareData",
		"onMenuShareAppMessage", "menu:share:appmessage", "onMenuShareTimeline", "menu:share:timeline", "onMenuShareWechat", "menu:share:wechat",
		"onMenuShareQQ", "menu:share:qq", "onMenuShareWeibo", "menu:share:weiboApp", "onMenuShareQZone", "menu:share:QZone",
		"hideOptionMenu", "showOptionMenu", "closeWindow", "hideMenuItems", "showMenuItems", "hideAllNonBaseMenuItem", "showAllNonBaseMenuItem",
		"openDefaultBrowser", "onHistoryBack", "historyBack", "onUserCaptureScreen", "setClipboardData", "getClipboardData",
		"openBluetoothAdapter", "closeBluetoothAdapter", "getBluetoothAdapterState", "onBluetoothAdapterStateChange", "startBluetoothDevicesDiscovery",
		"stopBluetoothDevicesDiscovery", "getBluetoothDevices", "onBluetoothDeviceFound", "getConnectedBluetoothDevices", "createBLEConnection",
		"closeBLEConnection", "onBLEConnectionStateChange", "getBLEDeviceServices", "getBLEDeviceCharacteristics", "readBLECharacteristicValue",
		"writeBLECharacteristicValue", "notifyBLECharacteristicValueChange", "onBLECharacteristicValueChange",
		"startBeaconDiscovery", "stopBeaconDiscovery", "getBeacons", "onBeaconUpdate", "onBeaconServiceChange",
		"startSearchBeacons", "startMonitoringBeacons", "stopSearchBeacons", "stopMonitoringBeacons", "onSearchBeacons", "onBeaconsInRange",
		"wedriveSelectFileForShare", "addCard", "batchAddCard", "chooseCard", "openCard", "batchViewCard", "consumeAndShareCard", "consumedShareCard",
		"openProductSpecificView", "openProductViewWithPid", "chooseWXPay", "getBrandWCPayRequest", "openEnterpriseRedPacket", "getRecevieBizHongBaoRequest",
		"chooseInvoice", "discoverDevice", "enterHWOpenTalk", "queryCurrHWOpenTalk", "enterpriseVerify", "openAddress", "editAddress", "openBusinessView",
		"openDeviceProfile", "startWecast",
	},
	needsAgent: {
		"selectExternalContact", "getCurExternalContact", "getCurExternalChat", "navigateToAddCustomer", "openExistedChatWithMsg", "sendChatMessage",
		"shareToExternalContact", "shareToExternalChat", "shareToExternalMoments", "thirdPartyOpenPage", "chooseMessageFile", "getLocalFileData",
		"replayLiving", "downloadLivingReplay", "startLiving", "startMeeting", "createTodo", "viewTodo", "createDoc", "wedocSelectDoc", "wedriveSelectDir",
		"wedriveSelectFile", "wedriveSelectFileForDownload", "addDevice", "checkSchedule", "claimClassAdmin", "createChatWithMsg", "createCorpGroupChat",
		"updateCorpGroupChat", "createExternalPayment", "refundExternalPayment", "createSchoolPayment", "getApprovalSelectedItems", "saveApprovalSelectedItems",
		"getCurCorpGroupChat", "getCurCorpGroupContact", "getShareInfo", "setShareAttr", "hideChatAttachmentMenu", "launchMiniprogram", "navigateToKfChat",
		"openAppComment", "openAppDeviceDataAuth", "openAppManage", "openAppPurchase", "openThirdAppServiceChat", "printFile", "selectCorpGroupContact",
		"selectDatazoneDoc", "selectDatazoneFile", "selectExternalChat", "selectPrivilegedContact", "updateEnterpriseChat", "updateMomentsSetting", "setKeepScreenOn",
	},
	needsAgent3rd: {"openUserProfile", "openEnterpriseChat"},
}
