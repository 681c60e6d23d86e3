package wecom_test

import "suitesign/wecom"

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
