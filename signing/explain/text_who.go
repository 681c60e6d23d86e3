package explain

// whoTexts are about whom a page means and where it lies.
var whoTexts = map[Code]text{
	InvalidURL: {
		Words{"This is not the URL of a page: {reason}.", "A signature is made only for a URL that a browser reports, for others can be read in two ways.",
			"Take it from the page: encodeURIComponent(location.href.split('#')[0])."},
		Words{"这不是页面的 URL（{reason}）。", "只为浏览器会报告的 URL 签名，其他写法可能有两种解读。", "请在页面中取值：encodeURIComponent(location.href.split('#')[0])。"}},
	SuiteIDUnknown: {
		Words{"No suite has this suite_id.", "Ids are compared byte for byte: case and spaces count.", "Use the suite_id as GET /v1/suites lists it."},
		Words{"没有该 suite_id 对应的套件。", "ID 逐字节比较，区分大小写和空格。", "请使用 GET /v1/suites 列出的 suite_id。"}},
	CorpIDMissing: {
		Words{"The page registered without a corpId.", "A JavaScript value that is not there becomes \"undefined\" or nothing; WeCom answers 40013 or 41002, and ww.register throws.",
			"Give ww.register the corpId that /api/jssdk/signatures answers, and register only once it is there."},
		Words{"页面注册时没有传 corpId。", "不存在的 JavaScript 值会变成 \"undefined\" 或空，企业微信返回 40013 或 41002，ww.register 会直接抛错。", "请把 /api/jssdk/signatures 返回的 corpId 传给 ww.register，并在取到之后再注册。"}},
	CorpIDIsSuiteID: {
		Words{"The corpId of the page is a suite_id.", "corpId names the corp that uses the page; the suite is named by suite_id.", "Use the authorizing corp's id (GET /v1/tenants) as corpId."},
		Words{"页面的 corpId 填成了 suite_id。", "corpId 是使用页面的企业，套件由 suite_id 指明。", "请改用授权企业的 id（GET /v1/tenants）作为 corpId。"}},
	CorpIDIsProvider: {
		Words{"The corpId of the page is the service provider's own.", "A page registers for the corp whose member opened it, not for the provider.", "Use the authorizing corp's id (GET /v1/tenants) as corpId."},
		Words{"页面的 corpId 填成了服务商自己的 corpid。", "页面应为打开它的成员所在企业注册，而不是服务商。", "请改用授权企业的 id（GET /v1/tenants）作为 corpId。"}},
	CorpIDSpelling: {
		Words{"The corp_id differs from a known one only in upper and lower case, or in spaces.", "Encrypted corp ids are case-sensitive; no id is ever folded.", "Copy the id unchanged; look for code that trims or lower-cases it."},
		Words{"corp_id 与已知的仅大小写或空格不同。", "加密的 corpid 区分大小写，不做任何转换。", "请原样复制该 id，并检查是否有代码改变大小写或空格。"}},
	CorpIDUnknown: {
		Words{"No tenant here has this corp_id.", "The corp has not installed the suite, or is known under another form of its id: plain and encrypted ids differ, and each provider has encrypted ones of its own.",
			"Look for the corp by name in GET /v1/tenants?q=. If it is there, add this form: PUT /v1/tenants/{tenant_id}/aliases/{corp_id}. If not, have it install the suite."},
		Words{"没有租户使用该 corp_id。", "该企业尚未安装套件，或以另一种形式的 id 登记：明文与加密 corpid 不同，不同服务商的加密 corpid 也不同。",
			"请按名称在 GET /v1/tenants?q= 中查找；存在则用 PUT /v1/tenants/{tenant_id}/aliases/{corp_id} 添加别名，否则请企业安装套件。"}},
	TenantAmbiguous: {
		Words{"Several tenants fit what the page names.", "Several corps trust this host, so the host alone does not say which one's ticket is to sign.", "Pass suite_id and corp_id to the signing endpoint."},
		Words{"有多个租户符合页面给出的信息。", "多个企业信任该域名，仅凭域名无法确定使用哪个企业的 ticket。", "请在签名接口中传入 suite_id 和 corp_id。"}},
	TenantCancelled: {
		Words{"The corp has uninstalled the suite.", "WeCom ended the authorization; its tickets are gone.", "Have the corp's admin install the suite again."},
		Words{"该企业已卸载套件。", "企业微信已取消授权，ticket 已不存在。", "请企业管理员重新安装套件。"}},
	TenantDisabled: {
		Words{"The tenant is switched off.", "An admin disabled it here; pages get 403 tenant_inactive.", "Switch it on: PATCH /v1/tenants/{tenant_id} with {\"status\":\"active\"}."},
		Words{"该租户已被停用。", "管理员在本服务中停用了它，页面会得到 403 tenant_inactive。", "启用：PATCH /v1/tenants/{tenant_id}，内容 {\"status\":\"active\"}。"}},
	TicketMissing: {
		Words{"The tenant has no live ticket to sign with; its health is {health}.", "The next request of a page has one fetched; while that fails pages get 503 ticket_unavailable.",
			"See last_error in GET /v1/tenants/{tenant_id} (errcode {errcode}), mend what it says, then POST /v1/tenants/{tenant_id}/credentials/refresh."},
		Words{"该租户没有有效的 ticket，状态为 {health}。", "下一次页面请求会触发获取；获取失败期间页面会得到 503 ticket_unavailable。",
			"请查看 GET /v1/tenants/{tenant_id} 的 last_error（errcode {errcode}），处理后调用 POST /v1/tenants/{tenant_id}/credentials/refresh。"}},

	UntrustedDomain: {
		Words{"The host {host} is no trusted domain of the tenant.", "Only pages on trusted domains are signed, here and in WeCom.",
			"If it is your host, trust it: PUT /v1/tenants/{tenant_id}/domains/{domain}, and enter it in WeCom's console as 可信域名 as well."},
		Words{"域名 {host} 不是该租户的可信域名。", "本服务与企业微信都只接受可信域名下的页面。", "若是自己的域名，请添加：PUT /v1/tenants/{tenant_id}/domains/{domain}，并在企业微信后台设为可信域名。"}},
	HTTPNotTrusted: {
		Words{"The page is on http, and {by} is trusted for https only.", "Plain http is signed only where an admin allows it.", "Open the page over https; or store the domain with \"allow_http\":true."},
		Words{"页面使用 http，而 {by} 只信任 https。", "只有管理员允许时才为 http 页面签名。", "请用 https 打开页面，或将该域名设为 \"allow_http\":true。"}},
	PortNotTrusted: {
		Words{"The page's port is not the one that {by} is trusted with.", "A domain without a port means the scheme's default port, and one with a port exactly that.", "Use the trusted port, or trust {domain} too. WeCom itself takes no ports in JS-SDK domains."},
		Words{"页面端口与可信域名 {by} 不一致。", "不带端口的域名表示协议默认端口，带端口的只匹配该端口。", "请使用可信的端口，或添加 {domain}；企业微信的 JS-SDK 可信域名不支持端口。"}},
	SubdomainNotTrusted: {
		Words{"{host} is below {by}, which is trusted exactly.", "With \"exact\":true sub-domains are not covered.", "Trust {domain} itself, or store {by} with \"exact\":false."},
		Words{"{host} 是 {by} 的子域名，而后者设为精确匹配。", "\"exact\":true 时不包含子域名。", "请单独信任 {domain}，或将 {by} 设为 \"exact\":false。"}},
	OriginMismatch: {
		Words{"The request for the signature came from another origin than the url in it.", "A page may ask for its own URL only.", "Ask from the page itself with its location.href; not from a frame, a tool page or a preview of another host."},
		Words{"签名请求的来源与 url 不一致。", "页面只能为自身的 URL 请求签名。", "请在页面自身用 location.href 请求，不要从其他域名的框架、工具页或预览页请求。"}},
	DomainUnverified: {
		Words{"WeCom says that the domain's ownership is not proved (errcode {errcode}).", "An unproved domain serves OAuth, but not the JS-SDK.",
			"Put the file WW_verify_….txt of WeCom's console at the root of the host, or store it here with the domain (verification_file) if the host points here. Then verify in the console; a failed check is remembered for minutes."},
		Words{"企业微信提示域名归属未校验（errcode {errcode}）。", "未校验归属的域名可用于 OAuth，但不能使用 JS-SDK。",
			"请把后台提供的 WW_verify_….txt 放到域名根目录；若域名指向本服务，也可随可信域名保存（verification_file）。然后在后台校验，失败结果会缓存几分钟。"}},
	DomainRefused: {
		Words{"WeCom refuses the domain (errcode {errcode}); here it is trusted, or was not asked for.", "WeCom has a list of its own: the exact host, with ICP and proved ownership, without a port. Whether it takes sub-domains its own texts disagree on.",
			"Enter exactly this host as 可信域名 of this app in WeCom's console; save it again if ICP or ownership was done after it was entered."},
		Words{"企业微信不接受该域名（errcode {errcode}），本服务侧没有问题。", "企业微信有自己的列表：完整域名、已备案、已校验归属、不带端口；是否包含子域名官方说法不一。",
			"请在企业微信后台把该完整域名设为此应用的可信域名；若备案或校验在保存之后完成，请重新保存。"}},
	AppUnavailable: {
		Words{"WeCom says that the app cannot be used by this corp (errcode {errcode}).", "It is disabled, inactive, not configured whole, or its authorization has ended.", "Have the corp's admin look at the app in WeCom's console; switch it on or install it again."},
		Words{"企业微信提示该企业不能使用此应用（errcode {errcode}）。", "应用被停用、长期未使用、信息不完整，或授权已失效。", "请企业管理员在企业微信后台检查应用，启用或重新安装。"}},
}
