package explain

// signatureTexts are about the triple and the ticket.
var signatureTexts = map[Code]text{
	TripleIncomplete: {
		Words{"The page registered without {field}.", "Mostly the answer was read under another name: the three are timestamp, nonceStr (capital S) and signature.",
			"Return the answer of the signing endpoint unchanged, and wait for it: an async callback has to return its promise."},
		Words{"页面注册时缺少 {field}。", "多半是字段名取错：三个字段为 timestamp、nonceStr（大写 S）、signature。", "请原样返回签名接口的结果，并等待请求完成（异步回调要返回 Promise）。"}},
	SignatureNotSHA1: {
		Words{"The signature is not 40 hex digits; it has {length} characters.", "WeCom's is SHA-1 in hex; base64, MD5, SHA-256 and HMAC are refused.", "Use the signature of the signing endpoint, or sha1 in lower-case hex."},
		Words{"签名不是 40 位十六进制，而是 {length} 个字符。", "企业微信使用十六进制的 SHA-1，不接受 base64、MD5、SHA-256 或 HMAC。", "请使用签名接口返回的 signature，或小写十六进制的 sha1。"}},
	SignatureUpperCase: {
		Words{"The signature is in upper case.", "WeCom's has lower-case hex digits, and the two are compared as text.", "Write the digits in lower case."},
		Words{"签名使用了大写字母。", "企业微信的签名是小写十六进制，并按文本比较。", "请转换为小写。"}},
	TimestampMilliseconds: {
		Words{"The timestamp is in milliseconds.", "WeCom wants Unix seconds: ten digits.", "Use Math.floor(Date.now() / 1000), or the timestamp of the signing endpoint unchanged, in the string to sign and in the registration."},
		Words{"timestamp 使用了毫秒。", "企业微信要求 Unix 秒，共 10 位数字。", "签名串与注册参数都应使用 Math.floor(Date.now() / 1000)，或原样使用签名接口返回的 timestamp。"}},
	TimestampNotSeconds: {
		Words{"The timestamp is not a whole number of seconds.", "WeCom wants Unix seconds, the same digits in the string to sign and in the registration.", "Use Math.floor(Date.now() / 1000), or the timestamp of the signing endpoint unchanged."},
		Words{"timestamp 不是整数秒。", "企业微信要求 Unix 秒，签名串与注册参数必须一致。", "请使用 Math.floor(Date.now() / 1000)，或原样使用签名接口返回的 timestamp。"}},
	DamagedTimestamp: {
		Words{"The string that was signed has a multiplication sign where \"&timestamp=\" begins.", "An HTML converter took \"&times\" for an entity; the damage is copied from page to page.",
			"Type the string anew: jsapi_ticket=…&noncestr=…&timestamp=…&url=…."},
		Words{"被签名的字符串中，\"&timestamp=\" 的开头变成了乘号。", "HTML 转换把 \"&times\" 当成实体，这种损坏在网上广为流传。", "请重新手工输入：jsapi_ticket=…&noncestr=…&timestamp=…&url=…。"}},
	ParameterSpelling: {
		Words{"A parameter is spelled differently in the string that was signed.", "There it is noncestr, all lower case; only the registration says nonceStr.", "Sign jsapi_ticket=…&noncestr=…&timestamp=…&url=…, and register with nonceStr."},
		Words{"签名串中的参数名拼写不对。", "签名串中是全小写的 noncestr，只有注册参数使用 nonceStr。", "签名用 jsapi_ticket=…&noncestr=…&timestamp=…&url=…，注册用 nonceStr。"}},
	ParameterOrder: {
		Words{"The parameters stand in another order in the string that was signed.", "The order is fixed: jsapi_ticket, noncestr, timestamp, url.", "Put the string together by hand, not by a sorted or unsorted map."},
		Words{"签名串中的参数顺序不对。", "顺序固定为 jsapi_ticket、noncestr、timestamp、url。", "请按固定顺序拼接，不要依赖 map 的排序。"}},
	NonceDiffers: {
		Words{"The nonce that was signed is not the one that the page registered with.", "Every character counts, also upper and lower case.", "Use one value in both places; do not make a second one, trim it or change its case."},
		Words{"被签名的随机串与注册时使用的不同。", "每个字符都必须一致，包括大小写。", "两处使用同一个值，不要重新生成、去空格或转换大小写。"}},
	LineBreak: {
		Words{"The string that was signed ends in a line break or a space.", "echo and text editors add one; it changes the sum.", "Sign without it: printf %s, not echo."},
		Words{"被签名的字符串末尾有换行或空格。", "echo 或编辑器会追加换行，导致摘要不同。", "签名前去掉末尾字符，例如用 printf %s 代替 echo。"}},

	TicketKindsSwapped: {
		Words{"The signature was made with the other kind of ticket: {kind}, and the page registers {expected}.", "config needs the corp's jsapi_ticket, agentConfig the app's (type=agent_config); WeCom answers 42012 or 40093.",
			"getConfigSignature asks /api/jssdk/config-signature, getAgentConfigSignature asks /api/jssdk/agent-signature: look whether the two are exchanged."},
		Words{"签名使用了另一种 ticket（{kind}），而页面注册的是 {expected}。", "config 使用企业 jsapi_ticket，agentConfig 使用应用 ticket（type=agent_config），混用会返回 42012 或 40093。",
			"getConfigSignature 应请求 /api/jssdk/config-signature，getAgentConfigSignature 应请求 /api/jssdk/agent-signature，请检查是否对调。"}},
	OtherAppTicket: {
		Words{"The signature was made with the ticket of another app of the same corp: suite {suite_id}.", "A ticket belongs to one app of one corp (error 42012).", "Pass the suite_id of the app that the page belongs to; see that caches have the suite_id in their key."},
		Words{"签名使用了同一企业另一个应用（套件 {suite_id}）的 ticket。", "ticket 只属于一个企业的一个应用（错误 42012）。", "请传入页面所属应用的 suite_id，并检查缓存键是否包含 suite_id。"}},
	OtherCorpTicket: {
		Words{"The signature was made with the ticket of another corp: {corp_id} of suite {suite_id}.", "A ticket belongs to one corp; a member of another one cannot register with it.", "Pass the corp_id of the corp whose member opened the page; see that caches have the corp_id in their key."},
		Words{"签名使用了另一个企业（套件 {suite_id} 的 {corp_id}）的 ticket。", "ticket 只属于一个企业，其他企业的成员无法用它注册。", "请传入打开页面的成员所在企业的 corp_id，并检查缓存键是否包含 corp_id。"}},
	AccessTokenUsed: {
		Words{"The signature was made with an access_token instead of a ticket.", "A ticket is fetched with the access_token and is another value.", "Sign with the ticket: get_jsapi_ticket for config, ticket/get?type=agent_config for agentConfig; or leave signing to this service."},
		Words{"签名误用了 access_token 而不是 ticket。", "ticket 要用 access_token 换取，两者不是同一个值。", "请使用 ticket 签名：config 用 get_jsapi_ticket，agentConfig 用 ticket/get?type=agent_config，或交由本服务签名。"}},
	StaleTicket: {
		Words{"The signature is of a ticket that is no longer in use.", "It was kept: a signature is good for one load of one page, and a ticket for two hours at most.", "Ask for a new signature at each registration; do not store signatures or tickets in pages, proxies or caches of your own."},
		Words{"签名使用的是已被替换的旧 ticket。", "签名被缓存了：签名只用于一次页面加载，ticket 最长有效两小时。", "每次注册都请求新的签名，不要在页面、代理或自建缓存中保存签名或 ticket。"}},

	ClockSkew: {
		Words{"The clock that made the timestamp is {span} {way}.", "How far the platform lets clocks differ is not published.", "Set the clock of the signing machine by NTP; take the timestamp there, never from the phone."},
		Words{"生成 timestamp 的时钟{way_zh}了 {span}。", "平台允许的偏差未公布。", "请用 NTP 校准签名服务器的时钟；timestamp 应在服务器生成，不要取自手机。"}},
	TicketRefused: {
		Words{"The signature is right, made with the {kind} ticket that is held as live, and WeCom refuses that ticket.", "It was replaced or revoked behind our back.", "Have it fetched again: POST /v1/tenants/{tenant_id}/credentials/refresh."},
		Words{"签名正确，使用的是当前有效的 {kind} ticket，但企业微信拒绝该 ticket。", "ticket 可能已在别处被更换或作废。", "重新获取：POST /v1/tenants/{tenant_id}/credentials/refresh。"}},
	PageDiffers: {
		Words{"The signature is right for this URL, so the page must really be at another one, or be registered with other values.", "WeCom compares with its own location.href, nonceStr and timestamp at the moment of the registration.",
			"Log location.href, corpId, timestamp and nonceStr in the page right where it registers, and explain with those."},
		Words{"对这个 URL 而言签名是正确的，说明页面实际的 URL 或注册参数不同。", "企业微信以注册时刻的 location.href、nonceStr、timestamp 为准。", "请在注册处打印 location.href、corpId、timestamp、nonceStr，用这些值再次诊断。"}},
	SignatureUnexplained: {
		Words{"No ticket that is known here makes this signature, with no likely mistake.", "It was made elsewhere, with an older ticket, for another URL, or the values are of different attempts.",
			"Take URL, timestamp, nonceStr and signature of one and the same attempt. Compare the string that was signed with canonical, character by character."},
		Words{"已知的 ticket 配合各种常见错误都得不到这个签名。", "签名可能由其他系统生成、使用更早的 ticket、针对其他 URL，或各值并非来自同一次请求。", "请提供同一次请求的 URL、timestamp、nonceStr、signature，并把实际签名串与 canonical 逐字符比较。"}},
	SignatureFits: {
		Words{"The signature is right for this URL ({signed_by}).", "It can be made again from the ticket that is in use.", "If the page still fails, tell what it saw (error) and where (user_agent)."},
		Words{"对这个 URL 而言签名正确（{signed_by}）。", "可由当前使用的 ticket 重新算出。", "若页面仍然失败，请补充报错内容（error）与客户端（user_agent）。"}},
	MoreNeeded: {
		Words{"Nothing wrong was found in what was told.", "More can be looked at: {missing}.", "Ask again with them; the triple of a failed attempt tells most."},
		Words{"在已提供的信息中没有发现问题。", "还可以补充：{missing}。", "请补充后再次诊断，其中失败那次的签名三元组最有用。"}},
}
