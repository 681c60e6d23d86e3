// Package netguard calls addresses that others have chosen: the target of a
// webhook, the host of a domain. Such a name may lead into our own network, to the
// metadata service of a cloud, or to ourselves, and it may lead there only at the
// second look (DNS rebinding).
//
// A [Guard] resolves a name once, looks at every address that it has, and connects
// to those same addresses: a name with one forbidden address is refused whole, and
// nothing is resolved again between the look and the connection. Only public
// unicast addresses pass, and the networks that the operator allows.
//
//   - Schemes: https; http only to an address that the operator allows, unless the
//     guard is told that plain http is meant.
//   - Ports: 443 and 80, and those from 1024 on. Lower ones are other services,
//     reachable only at an address that the operator allows.
//   - Userinfo in a URL is refused: it would end up in logs and hides the host.
//   - No proxy is used, not even one of the environment: it would resolve the name
//     once more, somewhere else.
//   - Redirects are not followed; the answer is the answer.
//
// Which addresses are public is the IANA registries' word (code.dny.dev/ssrf).
package netguard
