package wecomtest

import "suitesign/wecom/jsapi"

// apiParts are names of the client that the catalogue has under another: what the
// SDK calls when a menu was used, and the events that it listens for.
var apiParts = map[string]string{
	"sendAppMessage": "onMenuShareAppMessage", "shareTimeline": "onMenuShareTimeline", "shareWechat": "onMenuShareWechat", "shareQQ": "onMenuShareQQ",
	"shareWeiboApp": "onMenuShareWeibo", "shareQZone": "onMenuShareQZone",
	"auto:location:report": "onLocationChange", "historyBack": "onHistoryBack",
}

// registering are the names of the registrations themselves: the SDK puts them into
// the list of a page that names no API.
var registering = map[string]bool{"config": true, "preVerifyJsApi": true, "preVerifyJSAPI": true, "agentConfig": true}

// permitted reports whether a registration with an API in its jsApiList allows it
// to an app of a kind. Inside WeCom from 3.0.24 on a page that can sign for its app
// makes that registration only, so it covers what the corp's covers.
func permitted(name string, id Identity, kind jsapi.Kind) bool {
	if registering[name] {
		return true
	}
	if whole, ok := apiParts[name]; ok {
		name = whole
	}
	api, known := jsapi.Find(name)
	if !known {
		return false
	}
	wanted, may := api.For(kind)
	return may && (wanted != jsapi.Agent || id == AgentIdentity)
}

// kind is what the catalogue tells apps apart by.
func (a *app) kind() jsapi.Kind {
	switch {
	case a.internal():
		return jsapi.Internal
	case a.suite.Kind == Customized:
		return jsapi.Customized
	default:
		return jsapi.ThirdParty
	}
}
