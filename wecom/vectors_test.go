package wecom_test

import "suitesign/wecom"

// vectors are published by others: V1 to V3 by the platform, V4 and V5 in the
// tests of xen0n/go-workwx.
var vectors = []struct {
	name, token, key string
	q                wecom.Query
	encrypt          string
	message, id      string
	body             bool // the text came in a push
}{
	{
		"V1 echo", sampleToken, sampleKey,
		wecom.Query{Signature: "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", Timestamp: "1409659589", Nonce: "263014780"},
		"P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
		"1616140317555161061", "wx5823bf96d3bd56c7", false,
	},
	{
		"V2 push, pad 30", sampleToken, sampleKey,
		wecom.Query{Signature: "477715d11cdb4164915debcba66cb864d751f3e6", Timestamp: "1409659813", Nonce: "1372623149"},
		"RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==",
		`<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>
<FromUserName><![CDATA[mycreate]]></FromUserName>
<CreateTime>1409659813</CreateTime>
<MsgType><![CDATA[text]]></MsgType>
<Content><![CDATA[hello]]></Content>
<MsgId>4561255354251345929</MsgId>
<AgentID>218</AgentID>
</xml>`, "wx5823bf96d3bd56c7", true,
	},
	{
		"V3 the JSON flavour's text", sampleToken, sampleKey,
		wecom.Query{Signature: "0623cbc5a8cbee5bcc137c70de99575366fc2af3", Timestamp: "1409659813", Nonce: "1372623149"},
		"CZWs4CWRpI4VolQlvn4dlEC1alN2MUEY2VklGehgBVLBrlVF7SyT+SV+Toj43l4ayJ9UMGKphktKKmP7B2j/P1ey67XB8PBgS7Wr5/8+w/yWriZv3Vmoo/MH3/1HsIWZrPQ3N2mJrelStIfI2Y8kLKXA7EhfZgZX4o+ffdkZDM76SEl79Ib9mw7TGjZ9Aw/x/A2VjNbV1E8BtEbRxYYcQippYNw7hr8sFfa3nW1xLdxokt8QkRX83vK3DFP2F6TQFPL2Tu98UwhcUpPvdJBuu1/yiOQIScppV3eOuLWEsko=",
		`{"ToUserName":"wx5823bf96d3bd56c7","FromUserName":"mycreate","CreateTime": 1409659813,"MsgType":"text","Content":"hello","MsgId":4561255354251345929,"AgentID": 218}`,
		"wx5823bf96d3bd56c7", false,
	},
	{
		"V4 echo, sorted bytewise", "kjr2TKI8umCBfVF3wAHk8JiPwma5VBme", otherKey,
		wecom.Query{Signature: "1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011", Timestamp: "1583940690", Nonce: "VHh7ymSeb0jc4lSb"},
		"6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w==",
		"94966531020182955848408", "ww6a112864f8022910", false,
	},
	{
		"V5 push", "kz7Yx62CH8SaLN", "cD0d7jx4tYvVtzqrmh3Dm3QFCXe6f8SlHoMtMh3qQEP",
		wecom.Query{Signature: "a44d1b7dc3dc4b02edd99dc32afa6a26be7c92f6", Timestamp: "1583995625", Nonce: "1584392382"},
		"fyVN9BUnH6xNl0/VCHTCg6XGxxvoFdyZ7VQbAbBcQ79dVccYvdIyJYZSMMhkPy8LPaoe+V27qjoQ553fXavmrPOgxzHrKKf3YIu63pB4/nN0LY4S+GzUFi/LLFj1TI1sOh0q2jT5u1nYz5G3HFNLd3DFUvJVLtZl8mVMwUOzBpzKZhhmCvIJLVlvym9tt+VYwG06MSbmnf9AzYFKhm1BIy+95Q824ilY6Wy8l+vkFqEdASl2k83jMXvlkVRSB3hmNptWTbq8ygDdLtkCyA4UEiZvfTskqqVkbYwLptRl/1F+DVL9SH/TWt2j3dCm4rzY5jQG+fA+2xh2Kk+OrVgafqtQCfhjq8C38A2IwCcg2BONKk8s5ijFxQoszmXvJQ3zLYbjzRWQ40xhryDyPNNse7/slKVW2QMBEUPNOxUcX9k=",
		`<xml><ToUserName><![CDATA[wwf181555a13a31443]]></ToUserName><FromUserName><![CDATA[xen0n]]></FromUserName><CreateTime>1583995625</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[x123]]></Content><MsgId>2018405441</MsgId><AgentID>1000002</AgentID></xml>`,
		"wwf181555a13a31443", true,
	},
}

// ownVectors are sealed with the sample pair.
var ownVectors = []struct {
	name        string
	q           wecom.Query
	encrypt     string
	message, id string
}{
	{
		"suite_id, pad 25",
		wecom.Query{Signature: "a148b74a3637ae5c330668c46d586ab200797888", Timestamp: "1700000000", Nonce: "n0nce"},
		"sKqRbbiSUnDhFHOvPjtUMaaogxpwTBv7Wl+jZyBBqkFEtOs5puwcxvlekGGRH6LyjrjP5eCZWC7hi5Q1ul6ytV8+B8jcPZIZjO04nvQudxFvg7tAI/S8KEn8eLoKUy8qspx64wghR4IqEXJuB9gMdNPijSpT5TGJzSWxqwdgLNbO/T4g+lO5USoTw4HWolC2B3/Lg9sXyfCrmI+4s2sZ0smCe+EFx2A06AnqOTIviPkjYwnXB1hctrsKCCsn1ARHrGR3ytO9J8TKIfA4qGQMnZsuzsdGHxXQCY/bGD6AuB6XOWwbx/zL6DfKzQ3CDsnh13+DQu347hVZgwdxkRBoPw==",
		`<xml><SuiteId><![CDATA[wwd08c8e7c775ab44d]]></SuiteId><InfoType><![CDATA[suite_ticket]]></InfoType><TimeStamp>1403610513</TimeStamp><SuiteTicket><![CDATA[asdfasfdasdfasdf]]></SuiteTicket></xml>`, "wwd08c8e7c775ab44d",
	},
	{
		"empty receiveid, pad 7",
		wecom.Query{Signature: "a1eb60785e879695e5be469f715d118d62e3c22c", Timestamp: "1700000000", Nonce: "n0nce"},
		"sKqRbbiSUnDhFHOvPjtUMZuVSJ98Er12+beXKHFGrxs=",
		`hello`, "",
	},
	{
		"template id, pad 22",
		wecom.Query{Signature: "572b4966cdb5fccf880f51cca21d4f4cdb5fd568", Timestamp: "1700000000", Nonce: "n0nce"},
		"sKqRbbiSUnDhFHOvPjtUMVX7cm5AtbrXNhingzALkYJ6lZQ2N2srtD+gEWqb0Pw3m4GoV0oRVzCA+aW/5O+JTA==",
		`4096`, "dk0123456789abcdef",
	},
	{
		"a whole block of padding, pad 32",
		wecom.Query{Signature: "5322179e82634085d40de699da0b425be22659b8", Timestamp: "1700000000", Nonce: "n0nce"},
		"sKqRbbiSUnDhFHOvPjtUMXUjt2jwQXMIYqcn7NZLa5WYoX30x6+YadhqAGkUL6Ch+1tdr7vUbvr4MGl5/oEvnw==",
		`mmmmmmmmmm`, "ww",
	},
	{
		"pad 1",
		wecom.Query{Signature: "99636f1e65a9b77d9f0d4bf126a7919caf842ba4", Timestamp: "1700000000", Nonce: "n0nce"},
		"sKqRbbiSUnDhFHOvPjtUMWTHXIroReZsQO55Ib58yRY=",
		`mmmmmmmmm`, "ww",
	},
	{
		"empty message, pad 26",
		wecom.Query{Signature: "31e70277d68eb83d2c188fc07222d4ed4c4ddabe", Timestamp: "1700000000", Nonce: "n0nce"},
		"sKqRbbiSUnDhFHOvPjtUMWEFfqm6ZMXAqNEts4LXyUrGFSGPkF9+R63FfxGCDfOFk85RGsl/1umEpWSChOBeKg==",
		``, "wwd08c8e7c775ab44d",
	},
}
