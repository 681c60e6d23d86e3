package explain

// urlTexts are about how a URL gets from the page to the string that is signed.
var urlTexts = map[Code]text{
	WeChatEntryURL: {
		Words{"In WeChat on a phone the signature has to be for the URL with which the page was opened.", "A router changes location.href, but WeChat checks against the first one.",
			"Sign the URL that the SDK hands to getConfigSignature, which knows this; do not read location.href yourself."},
		Words{"在手机微信中，应使用进入页面时的 URL 签名。", "前端路由改变了 location.href，而微信按最初的 URL 校验。", "请使用 SDK 传给 getConfigSignature 的 url（SDK 已处理），不要自行读取 location.href。"}},
	EntryURL: {
		Words{"The signature is for the URL with which the page was opened, or for a page above it, not for where the page is now.", "In WeCom a router's change of path makes the registration void; the URL of now counts.",
			"Ask for the signature with the URL that the SDK hands over at each registration; do not keep the first one, and do not sign a fixed one."},
		Words{"签名对应的是进入时或上级页面的 URL，而不是当前 URL。", "在企业微信中，路由改变路径会使注册失效，以当前 URL 为准。", "每次注册都用 SDK 传入的 url 请求签名，不要保存最初的 URL 或写死 URL。"}},
	FragmentKept: {
		Words{"The URL was signed with its #fragment.", "WeCom signs the URL up to the first #.", "Cut it: location.href.split('#')[0]."},
		Words{"签名时 URL 保留了 # 及其后的部分。", "企业微信只取 # 之前的部分。", "请去掉：location.href.split('#')[0]。"}},
	HTMLEscaped: {
		Words{"The URL has &amp; where the page's has &.", "A template or an HTML converter escaped it.", "Take the URL from location.href in JavaScript, not from HTML; do not escape what is signed."},
		Words{"URL 中的 & 变成了 &amp;。", "模板或 HTML 转换对它做了转义。", "请在 JavaScript 中取 location.href，不要从 HTML 中取，也不要对签名内容转义。"}},
	URLEncodedTwice: {
		Words{"The URL was percent-encoded once too often.", "What is signed is location.href itself; encodeURIComponent is only for the way to the signing endpoint, which decodes once.",
			"Encode exactly once. URLSearchParams, axios params and curl --data-urlencode encode by themselves."},
		Words{"URL 被多编码了一次。", "被签名的是 location.href 本身，encodeURIComponent 只用于传参，签名接口会解码一次。", "只编码一次；URLSearchParams、axios 的 params、curl --data-urlencode 会自行编码。"}},
	URLDecoded: {
		Words{"The URL was decoded before it was signed.", "location.href is percent-encoded, and every byte of it counts: %E4%BD%A0 and 你 are two texts.", "Sign it as it stands; decode a query parameter once and no further."},
		Words{"URL 在签名前被解码了。", "location.href 是百分号编码的，每个字节都必须一致：%E4%BD%A0 与 你 并不相同。", "请原样签名；查询参数只解码一次。"}},
	URLNotEncoded: {
		Words{"The URL was passed on without encodeURIComponent: what follows its first & was lost.", "An unencoded URL spills its own parameters into those of the signing endpoint.", "Pass url=encodeURIComponent(location.href.split('#')[0])."},
		Words{"传递 URL 时没有使用 encodeURIComponent，第一个 & 之后的内容丢失了。", "未编码的 URL 会把自身参数混入签名接口的参数。", "请传 url=encodeURIComponent(location.href.split('#')[0])。"}},
	QueryDropped: {
		Words{"The URL was signed without its query.", "WeCom signs the query as well, up to the #.", "Use location.href, not location.origin + location.pathname."},
		Words{"签名时丢掉了 URL 的查询参数。", "企业微信对 # 之前的完整 URL 签名，包括查询参数。", "请使用 location.href，而不是 location.origin + location.pathname。"}},
	QueryAppended: {
		Words{"The page's URL has parameters that the signed one has not.", "OAuth (code, state) and sharing (from, isappinstalled) add parameters after a URL was fixed.", "Read location.href at the moment of the registration, on the last page after OAuth."},
		Words{"页面 URL 比被签名的多出了参数。", "OAuth（code、state）和分享（from、isappinstalled）会追加参数。", "请在注册时、OAuth 跳转完成后的最终页面读取 location.href。"}},
	URLRewritten: {
		Words{"A library read the URL and wrote it again differently.", "Sorted parameters, + for %20, other case of %xx and cleaned paths are other texts.", "Pass the URL through as a string; do not parse and rebuild it."},
		Words{"URL 被某个库解析后重新拼接，写法发生了变化。", "参数排序、+ 与 %20 互换、%xx 大小写、路径规整都会得到不同的文本。", "请把 URL 当作字符串原样传递，不要解析后重建。"}},
	SchemeDiffers: {
		Words{"The URL was signed with the other of http and https.", "Behind a proxy that ends TLS a server sees http.", "Take the URL from location.href in the page, not from the server's view of the request."},
		Words{"签名的 URL 与页面的 http/https 不一致。", "在终止 TLS 的代理之后，服务器看到的是 http。", "请在页面中取 location.href，不要在服务器端根据请求拼接。"}},
	TrailingSlash: {
		Words{"The two URLs differ in a slash.", "A browser reports https://host as https://host/, and every other path as it stands.", "Use location.href unchanged; do not add or cut slashes."},
		Words{"两个 URL 相差一个斜杠。", "浏览器会把 https://host 报告为 https://host/，其他路径保持原样。", "请原样使用 location.href，不要增删斜杠。"}},
	LetterCase: {
		Words{"The two URLs differ in upper and lower case.", "A browser reports the host in lower case and leaves the rest as it is; the sum is over bytes.", "Use location.href unchanged; do not change case."},
		Words{"两个 URL 的大小写不同。", "浏览器会把主机名报告为小写，其余部分保持原样，签名按字节计算。", "请原样使用 location.href，不要转换大小写。"}},
	PortDiffers: {
		Words{"The two URLs differ in the port.", "A browser leaves out the scheme's default port and reports any other; servers behind a proxy see another one.", "Use location.href unchanged."},
		Words{"两个 URL 的端口不同。", "浏览器省略协议默认端口、保留其他端口，代理之后的服务器看到的端口可能不同。", "请原样使用 location.href。"}},
	HostDiffers: {
		Words{"The URL was signed for another of the trusted hosts.", "WeCom compares with the host that the page is really on.", "Use location.href, not a base URL of the configuration."},
		Words{"签名的 URL 使用了另一个可信域名。", "企业微信以页面实际所在的域名为准。", "请使用 location.href，而不是配置中的站点地址。"}},
}
