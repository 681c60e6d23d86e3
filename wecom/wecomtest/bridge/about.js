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
//   * every other API is one that this client has, and needs such a registration of
//     the right identity, made for the page's present URL, with the API in its
//     jsApiList, and the entry that the API asks for. Then it answers something
//     plausible, and what follows from it is sent as events.
//
// A panel in the corner of the page changes entry, identity, client, colours and
// network, sends events and lists the calls; its choices outlive the page.
//
// Attributes of the script tag (data-…), or parameters of the script's URL:
//   ua       who shows the page: wecom (default), wechat, keep, or a client with its
//            platform: wecom-ios, wecom-android, wecom-windows, wecom-mac, wechat-ios,
//            wechat-android, wechat-windows. A user agent that names WeCom or WeChat
//            already is kept.
//   version  of that app
//   entry    what getContext answers with (default single_chat_tools)
//   panel    off: without the panel
//   sim      where the simulator is (default: where this script came from)
//
// window.wecomsim is for tests and for the curious: registrations, a log of all
// calls, set({entry: 'normal'}) as the panel does it, answer('scanQRCode', {resultStr:
// '…'}) for an answer of your own, and emit(event, data), which lets the client send
// an event.
