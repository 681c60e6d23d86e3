package e2e

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"suitesign/wecom/jsapi"
)

// walk calls every API that may be called here, through the SDK, each from an entry
// that it wants, and tells how it ended. What an empty parameter asks for is what
// the same name was answered with before.
const walk = `
	const results = {}
	const got = {}
	const remember = object => {
		for (const [key, value] of Object.entries(object || {})) {
			if (typeof value === 'string') got[key] = value
			if (Array.isArray(value)) value.forEach(item => typeof item === 'string' ? got[key.replace(/s$/, '')] = item : remember(item))
		}
	}
	register({ jsApiList: apis.map(api => api.name) })
	await settle(ww.ensureConfigReady())
	for (const { name, params, entry } of apis) {
		wecomsim.set({ entry: entry || 'normal' })
		for (const key of Object.keys(params || {})) {
			if (params[key] === '' && got[key]) params[key] = got[key]
		}
		if (/^on[A-Z]/.test(name)) {
			results[name] = await new Promise(resolve => {
				const heard = data => { resolve({ errMsg: name + ':ok', heard: data }); return false }
				name.startsWith('onMenu') ? ww[name](Object.assign({}, params, { complete: resolve })) : ww[name](heard)
				const send = () => { wecomsim.happen(name).length || setTimeout(send) } // until the SDK listens
				send()
			})
			continue
		}
		if (name === 'register') ww.register({ corpId: 'wwcorp', agentId: options.agentId, jsApiList: apis.map(api => api.name), getConfigSignature: sign('corp'), getAgentConfigSignature: sign('agent') })
		results[name] = name === 'register' ? (await settle(ww.ensureConfigReady())).result
			: name === 'getSignature' ? Object.assign({ errMsg: 'getSignature:ok' }, ww.getSignature('T1'))
			: await settle(ww[name](params))
		remember(results[name])
	}
	return results`

type apiCall struct {
	Name   string          `json:"name"`
	Params json.RawMessage `json:"params,omitempty"`
	Entry  string          `json:"entry,omitempty"`
}

// The catalogue and the bridge, held against each other through the real SDK: every
// API is answered in every client that has it, and nowhere else.
func TestEveryAPIIsAnswered(t *testing.T) {
	w := newWorld(t)
	b := openBrowser(t)
	answered := map[string]bool{}
	for _, client := range []struct {
		name, ua string
		kind     jsapi.Kind
		jsapi.Client
	}{
		{"wecom-ios", "wecom-ios", jsapi.ThirdParty, jsapi.Client{App: jsapi.WeCom, Platform: jsapi.IOS, Version: "5.0.9"}},
		{"wecom-android, internal", "wecom-android", jsapi.Internal, jsapi.Client{App: jsapi.WeCom, Platform: jsapi.Android, Version: "5.0.9"}},
		{"wecom-windows, customized", "wecom-windows", jsapi.Customized, jsapi.Client{App: jsapi.WeCom, Platform: jsapi.Windows, Version: "5.0.9"}},
		{"wecom-mac, internal", "wecom-mac", jsapi.Internal, jsapi.Client{App: jsapi.WeCom, Platform: jsapi.Mac, Version: "5.0.9"}},
		{"wechat-android", "wechat-android", jsapi.ThirdParty, jsapi.Client{App: jsapi.WeChat, Platform: jsapi.Android, Version: "8.0.50"}},
		{"wecom 2.5.0", "wecom-ios", jsapi.Internal, jsapi.Client{App: jsapi.WeCom, Platform: jsapi.IOS, Version: "2.5.0"}},
	} {
		// The panel's choices hold from the next load on.
		b.open(w.page + "&bridge=" + url.QueryEscape("ua="+client.ua+"&version="+client.Version+"&panel=off"))
		b.eval(`wecomsim.set({ kind: `+quote(string(client.kind))+` }); return 0`, new(int))

		var calls []apiCall
		want := map[string]string{}
		for _, a := range jsapi.All().APIs {
			call := apiCall{Name: a.Name, Params: a.Params}
			for _, e := range a.Entries {
				if _, opens := a.OpensFrom(e.Entry, client.Platform); opens {
					call.Entry = e.Entry
				}
			}
			want[a.Name] = "ok"
			identity, may := a.For(client.kind)
			fit, _ := a.In(client.Client)
			switch {
			case strings.HasPrefix(a.Name, "on") && (fit != jsapi.Runs || !may):
				continue // who listens for what never comes is told nothing
			case fit != jsapi.Runs:
				want[a.Name] = "function not exist"
				if a.Name == "getNetworkType" {
					want[a.Name] = "fail" // in the SDK's own words
				}
			case a.Name == "uploadImage" && (client.Platform == jsapi.Windows || client.Platform == jsapi.Mac):
				want[a.Name] = "fail invalid parameter" // nothing there chooses an image to upload
			case !may || identity == jsapi.Agent && client.App == jsapi.WeChat:
				want[a.Name] = "fail no permission"
			}
			if want[a.Name] == "ok" && len(a.Entries) > 0 { // some entries are younger than the API
				since, _ := a.OpensFrom(call.Entry, client.Platform)
				for _, e := range a.Entries {
					if since == "" || e.Since != "" && jsapi.Before(e.Since, since) {
						call.Entry, since = e.Entry, e.Since
					}
				}
				if jsapi.Before(client.Version, since) {
					want[a.Name] = "fail without context of external contact"
				}
			}
			calls = append(calls, call)
		}
		list, err := json.Marshal(calls)
		if err != nil {
			t.Fatal(err)
		}
		var results map[string]map[string]any
		b.eval(`const apis = `+string(list)+`; const options = { agentId: '`+w.agentID+`' };`+walk, &results)
		for _, c := range calls {
			r := results[c.Name]
			said, _ := r["errMsg"].(string)
			if said == "" {
				said, _ = r["failed"].(string)
			}
			_, keyword, _ := strings.Cut(said, ":")
			if keyword != want[c.Name] {
				t.Errorf("%s: %s%s answers %v, want %s", client.name, c.Name, c.Params, r, want[c.Name])
			}
			answered[c.Name] = answered[c.Name] || keyword == "ok"
		}
	}
	for _, a := range jsapi.All().APIs {
		if !answered[a.Name] {
			t.Errorf("%s is answered in no client", a.Name)
		}
	}

	// And the other way round: the bridge answers nothing that is not in the catalogue.
	var known struct{ Answers, Events []string }
	b.eval(`return wecomsim.known()`, &known)
	for _, name := range slices.Concat(known.Answers, known.Events) {
		if a, ok := jsapi.Find(name); !ok || a.Name != name {
			t.Errorf("the bridge answers %s, which the catalogue does not have", name)
		}
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
