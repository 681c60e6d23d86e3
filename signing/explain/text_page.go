package explain

// pageTexts are about what the page registers with, and what it calls then.
var pageTexts = map[Code]text{
	NotInWeCom: {
		Words{"The page was not opened in WeCom or WeChat.", "Elsewhere the SDK registers nothing, and no API answers.", "Open it in WeCom, or develop with the simulator's bridge."},
		Words{"页面不是在企业微信或微信中打开的。", "在其他浏览器中 SDK 不会注册，接口也不会响应。", "请在企业微信中打开，或使用模拟器的 bridge 开发。"}},
	AgentInWeChat: {
		Words{"The app's identity does not exist in WeChat.", "There the SDK registers with getConfigSignature only.", "Offer getConfigSignature as well, and call only APIs of the corp's identity in WeChat."},
		Words{"微信中没有应用身份。", "在微信中 SDK 只使用 getConfigSignature 注册。", "请同时提供 getConfigSignature，在微信中只调用企业身份的接口。"}},
	CallbackMissing: {
		Words{"ww.register was not given {callback}.", "In WeCom the SDK asks for the app's signature where getAgentConfigSignature is given, otherwise for the corp's; in WeChat always for the corp's.",
			"Give ww.register both callbacks."},
		Words{"ww.register 没有传入 {callback}。", "在企业微信中，提供了 getAgentConfigSignature 就使用应用签名，否则使用企业签名；在微信中总是企业签名。", "请在 ww.register 中同时提供两个回调。"}},
	AgentIDMissing: {
		Words{"The page registered without an agentId.", "The SDK makes the text \"undefined\" of an agentId that was left out; WeCom answers 40056.", "Give ww.register the agentId that /api/jssdk/signatures answers, and register only once it is there."},
		Words{"页面注册时没有传 agentId。", "SDK 会把缺失的 agentId 变成 \"undefined\"，企业微信返回 40056。", "请把 /api/jssdk/signatures 返回的 agentId 传给 ww.register，并在取到之后再注册。"}},
	AgentIDUnknown: {
		Words{"The tenant has no agent with this agentId.", "Every corp gives the app a number of its own; that of another corp or app is refused with 40056.", "Use the agentId of this tenant: GET /v1/tenants shows it, /api/jssdk/signatures answers it."},
		Words{"该租户没有此 agentId 对应的应用。", "每个企业给应用分配各自的编号，使用其他企业或应用的会返回 40056。", "请使用该租户的 agentId（见 GET /v1/tenants，/api/jssdk/signatures 也会返回）。"}},
	AgentNone: {
		Words{"The tenant has no agent, so there is no app's identity to register with.", "WeCom lists none for this authorization, or it has not been read yet.", "See agents in GET /v1/tenants/{tenant_id}; if the app is visible in the corp, have it authorized again."},
		Words{"该租户没有应用（agent），无法使用应用身份注册。", "企业微信没有返回应用，或尚未读取。", "请查看 GET /v1/tenants/{tenant_id} 的 agents；若企业中可见该应用，请重新授权。"}},
	CorpIDForm: {
		Words{"The page uses another form of the corp's id than WeCom handed out for this suite ({corp_id}).", "Plain and encrypted ids name the same corp, but a registration takes the one that fits its app, and in WeChat an encrypted id fails as appId.",
			"Use {corp_id} in WeCom. If it fails in WeChat, use the plain id there; aliases of a tenant tell both forms."},
		Words{"页面使用的企业 id 形式与企业微信授权给该套件的（{corp_id}）不同。", "明文与加密 id 指同一企业，但注册只接受与应用对应的形式；在微信中加密 id 作为 appId 会失败。",
			"在企业微信中请使用 {corp_id}；若在微信中失败，请改用明文 id，租户的 aliases 列出了各种形式。"}},
	RegistrationAborted: {
		Words{"The URL changed while the page was registering.", "A change of path by the router makes a registration void; the SDK ends it and registers again at the next call.", "Register after the router has settled, and call APIs after that; hash routing is not affected."},
		Words{"注册过程中页面 URL 发生了变化。", "路由改变路径会使注册失效，SDK 会终止它并在下次调用时重新注册。", "请在路由稳定之后注册并调用接口；hash 路由不受影响。"}},
	OldClient: {
		Words{"WeCom {version} registers the app's identity only after the corp's.", "Before 3.0.24 agentConfig must follow a successful config.", "Offer getConfigSignature as well."},
		Words{"企业微信 {version} 需要先完成企业身份注册。", "3.0.24 之前的版本，agentConfig 必须在 config 成功之后进行。", "请同时提供 getConfigSignature。"}},

	APIMisnamed: {
		Words{"{api} is not what this API is called.", "The name goes to the client as it is, and the client does not know it.", "Use {instead}."},
		Words{"{api} 不是正确的接口名。", "名称会原样传给客户端，客户端无法识别。", "请使用 {instead}。"}},
	APIUnknown: {
		Words{"There is no API {api} in the SDK.", "The client does not know it, or only a later SDK does.", "Look it up in GET /api/jssdk/apis; names are case-sensitive."},
		Words{"SDK 中没有接口 {api}。", "客户端无法识别，或只有更新的 SDK 才有。", "请在 GET /api/jssdk/apis 中查找，名称区分大小写。"}},
	APIWrongKind: {
		Words{"{api} may not be called by an app of the kind {kind}.", "The platform reserves it for others.", "See which kinds may in GET /api/jssdk/apis, and leave it out of jsApiList here."},
		Words{"{kind} 类型的应用不能调用 {api}。", "平台只对其他类型的应用开放。", "请在 GET /api/jssdk/apis 中查看可用的类型，并从 jsApiList 中移除。"}},
	APINeedsAgent: {
		Words{"{api} needs the app's identity.", "The page registered with the corp's only; the two are separate, and jsApiList is checked against the one that was made.", "Give ww.register agentId and getAgentConfigSignature."},
		Words{"{api} 需要应用身份。", "页面只以企业身份注册；两者相互独立，jsApiList 按实际完成的注册校验。", "请在 ww.register 中提供 agentId 和 getAgentConfigSignature。"}},
	APINotListed: {
		Words{"{api} is not in jsApiList.", "What was not asked for at the registration is refused at the call.", "Add '{api}' to the jsApiList of ww.register."},
		Words{"jsApiList 中没有 {api}。", "注册时没有申请的接口，调用时会被拒绝。", "请把 '{api}' 加入 ww.register 的 jsApiList。"}},
	APIEntry: {
		Words{"{api} answers only on pages that were opened from certain places.", "These are: {entries}.", "Ask getContext first, and call it only where entry is one of them; offer the page there in the app's settings."},
		Words{"{api} 只能在从特定入口打开的页面中调用。", "可用的入口：{entries}。", "请先用 getContext 判断 entry，并在应用设置中把页面配置到这些入口。"}},
	APIClient: {
		Words{"{api} does not run in this client.", "It runs in: {where}.", "Ask checkJsApi first, and offer another way elsewhere."},
		Words{"当前客户端不支持 {api}。", "支持的客户端：{where}。", "请先用 checkJsApi 判断，并在其他客户端提供替代方式。"}},
	APIClientTooOld: {
		Words{"{api} needs version {since}, and this client is {version}.", "Older clients do not know it, or not in this place.", "Ask checkJsApi first; ask the member to update the client."},
		Words{"{api} 需要 {since} 版本，当前客户端为 {version}。", "旧版客户端不支持，或在此入口不支持。", "请先用 checkJsApi 判断，并提示成员升级客户端。"}},
	NoPermission: {
		Words{"The registration was made, and the call is refused.", "Beside identity and jsApiList the platform asks for the app's permission, the member in its visible scope, and often the member's own right (客户联系).", "Look at each of them in WeCom's console; changes take effect after the page is opened again."},
		Words{"注册成功，但调用被拒绝。", "除身份与 jsApiList 外，平台还要求应用具备权限、成员在可见范围内，很多接口还要求成员本人有权限（如客户联系）。", "请在企业微信后台逐项检查，修改后重新打开页面生效。"}},
}
