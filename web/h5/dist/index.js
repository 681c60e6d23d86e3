/*! @suitesign/h5, Apache-2.0 */
import * as ww from "@wecom/jssdk";
// src/client.ts
function navigate() {
	return typeof navigator === "undefined" ? {} : navigator;
}
/** Whether whoever reads the console reads Chinese. */
function inChinese() {
	return /^zh/i.test(navigate().language);
}
function inWeCom() {
	return /wxwork\/\d/i.test(navigate().userAgent);
}
/** In WeCom or WeChat. */
function inClient() {
	return inWeCom() || /micromessenger/i.test(navigate().userAgent);
}
/** Whether the client is one of WeChat's for phones: they check the URL that the page was opened with. */
function checksEntryURL() {
	const { platform, maxTouchPoints } = navigate();
	const desktop = /Win/i.test(platform) || /Mac/i.test(platform) && !(maxTouchPoints > 2);
	return inClient() && !inWeCom() && !desktop;
}
/** The URL that the page was opened with, or as near to that as this script was loaded. */
var entryURL = typeof location === "undefined" ? "" : location.href;
/** How long a client may take. Longer than any question to the service, whose own error says more. */
var clientLimit = 6e4;
/** within ends a promise that the client leaves open. */
function within(work, late) {
	let timer;
	const end = () => clearTimeout(timer);
	const limit = new Promise((_, reject) => {
		timer = setTimeout(() => reject(late()), clientLimit);
	});
	work.then(end, end);
	return Promise.race([work, limit]);
}
// src/hints.ts
var busy = ["签名服务暂时不可用，请稍后再试。", "The signing service cannot answer: try again later."];
var detail = ["原因见 detail。", "The reason is in detail."];
/** The hints by code: Chinese, English. Short, for they are half of what a page loads. */
var hints = {
	invalid_request: ["请检查 corpId、suiteId、agentId 和 endpoint。", "Check corpId, suiteId, agentId and endpoint."],
	invalid_url: ["请用域名打开，不要用 IP、用户名或默认端口。", "Open this page by a domain name: no IP, user, default port."],
	origin_mismatch: ["请检查代理是否改写 Origin。", "Check whether a proxy rewrites Origin."],
	untrusted_domain: ["请在 suitesign 中信任此页面的域名和端口（http 需 allow_http）。", "Trust the domain and port of this page in suitesign (http needs allow_http)."],
	tenant_not_found: ["该企业未安装此应用，请检查 corpId 和 suiteId。", "This corp has not installed the suite: check corpId and suiteId."],
	tenant_ambiguous: ["多个企业信任此域名，请传入 suiteId。", "Several apps trust this domain: pass suiteId."],
	tenant_inactive: ["该企业已停用或已取消授权。", "This corp is disabled or cancelled."],
	agent_not_found: ["该企业没有此应用，请检查 agentId。", "This corp has no such app: check agentId."],
	agent_ambiguous: ["该企业有多个应用，请传入 agentId。", "This corp has several apps: pass agentId."],
	rate_limited: ["请求过多，请稍后再试。", "Too many requests: try again later."],
	ticket_unavailable: ["该企业暂无有效的 ticket，请稍后再试。", "This corp has no live ticket: try again later."],
	database_unavailable: busy,
	starting: busy,
	timeout: busy,
	internal: busy,
	needs_agent: ["请传入 agentId。", "Pass agentId."],
	missing_corp_id: ["请传入 corpId。", "Pass corpId."],
	no_client: ["请在企业微信或微信中打开；开发时可用 data-simulator。", "Open this page in WeCom or WeChat; to develop, use data-simulator."],
	no_answer: ["客户端没有响应，请重新打开页面。", "The client did not answer: open this page again."],
	no_wx: ["此 wx 没有 agentConfig，请改用 registerSuite。", "This wx has no agentConfig: use registerSuite."],
	unreachable: ["无法连接 endpoint，请检查网络、https 和 CSP。", "Cannot reach endpoint: check network, https, CSP."],
	bad_answer: ["endpoint 不是 suitesign。", "endpoint is not suitesign."],
	sdk_missing: ["无法加载 SDK，请检查地址和 CSP。", "Cannot load the SDK: check address and CSP."],
	sdk_error: detail,
	page_changed: ["页面地址不断变化，请稍后再试。", "The page kept moving: try again later."],
	client_refused: detail,
	client_signature: ["客户端不认签名，请检查 corpId 和 agentId。", "The client refused the signature: check corpId and agentId."],
	client_domain: ["请在企业微信后台把此域名设为可信域名。", "Trust this domain in the WeCom console."],
	client_corp: ["corpId 须为当前企业的。", "corpId must be that of the present corp."],
	client_agent: ["agentId 须为此应用的。", "agentId must be that of this app."]
};
function hintFor(code, otherwise = code) {
	const [zh, en] = hints[code] || [otherwise, otherwise];
	return {
		zh,
		en
	};
}
// src/errors.ts
/** Why a page is not registered, and what to do. */
var SuitesignError = class extends Error {
	constructor(code, facts = {}, hint = hintFor(code, facts.detail)) {
		const detail = facts.detail || "";
		super(code + ": " + (inChinese() ? hint.zh : hint.en) + (detail && detail !== hint.zh ? " (" + detail + ")" : ""));
		this.name = "SuitesignError";
		this.code = code;
		this.hint = hint;
		this.detail = detail;
		this.status = facts.status || 0;
		this.requestId = facts.requestId || "";
		this.retryAfter = facts.retryAfter || 0;
		this.cause = facts.cause;
		this.errMsg = this.message;
	}
};
var refusals = [
	[/40093|42012|signature/i, "client_signature"],
	[/80001|40048|domain/i, "client_domain"],
	[/40013|corp_?id|app_?id/i, "client_corp"],
	[/40056|agent_?id/i, "client_agent"]
];
var known = /* @__PURE__ */ new WeakMap();
/** Whether the SDK gave a registration up because the page's URL changed. */
function isAbort(error) {
	return error instanceof Error && /Aborted$/.test(error.message);
}
function typed(raw) {
	if (raw instanceof SuitesignError) return raw;
	const key = Object(raw);
	let error = known.get(key);
	if (!error) {
		error = make(raw);
		known.set(key, error);
	}
	return error;
}
/** What a client said, and which hint is for it; without a word it was not a client. */
function refusal(raw) {
	const said = raw && !(raw instanceof SuitesignError) && (raw.errMsg || raw.err_msg);
	const code = raw && (raw.errCode || raw.err_code);
	const cause = refusals.filter((r) => r[0].test(said + " " + (code || "")))[0];
	return {
		said,
		code,
		hint: cause ? cause[1] : "client_refused"
	};
}
function make(raw) {
	if (isAbort(raw)) return new SuitesignError("page_changed", { cause: raw });
	const { said, hint } = refusal(raw);
	if (!said) return new SuitesignError("sdk_error", {
		detail: String(raw && raw.message || raw),
		cause: raw
	});
	return new SuitesignError("client_refused", {
		detail: said,
		cause: raw
	}, hintFor(hint));
}
var reported = /* @__PURE__ */ new WeakSet();
/** Tells the page and its console of a failure, once, and makes a typed error of it. */
function report(raw, tell) {
	const error = typed(raw);
	if (!reported.has(error)) {
		reported.add(error);
		console[/^(no_c|ne)/.test(error.code) ? "warn" : "error"]("[suitesign] " + error.message + (error.requestId && " [" + error.requestId + "]"));
		if (tell) tell(error);
	}
	return error;
}
/** reporting is work whose failure is typed and reported: whoever ignores it leaves no unhandled rejection. */
function reporting(work, tell) {
	const told = work.catch((raw) => Promise.reject(report(raw, tell)));
	told.catch(() => {});
	return told;
}
// src/signatures.ts
/** How long one request may take. */
var requestTimeout = 8e3;
/** How often one question is asked before it is given up. */
var attempts = 3;
/** How long a question waits for a pause to end; with a longer one it is given up. */
var patience = 6;
/** Seconds of pause after the first, second, … failure in a row. */
var pauses = [
	1,
	2,
	4,
	8,
	15,
	30,
	60
];
var troubles = /* @__PURE__ */ new Map();
var asking = /* @__PURE__ */ new Map();
/** What was signed last, with its URL. */
var signed$1 = {};
var home = "";
/** base is where a suite's page asks. */
function base(suite) {
	return (suite.endpoint || home).replace(/\/+$/, "") + "/api/jssdk/";
}
/** idsOf are a suite's, as the service calls them. */
function idsOf(kind, suite) {
	return {
		suite_id: suite.suiteId,
		corp_id: suite.corpId,
		agent_id: kind === "agent" ? suite.agentId : ""
	};
}
/** sign fetches a signature of url. Whoever asks for the same meanwhile shares the request. */
function sign(kind, url, suite) {
	url = url.split("#")[0];
	const ids = idsOf(kind, suite);
	const lane = base(suite) + kind + "-signature?" + Object.keys(ids).filter((name) => ids[name]).map((name) => name + "=" + encodeURIComponent("" + ids[name]) + "&").join("") + "url=";
	const address = lane + encodeURIComponent(url);
	let answer = asking.get(address);
	if (!answer) {
		const done = () => {
			asking.delete(address);
		};
		answer = ask(lane, address, url, attempts).then((signature) => {
			signed$1[kind] = Object.assign({ url }, signature);
			return signature;
		});
		asking.set(address, answer);
		answer.then(done, done);
	}
	return answer;
}
function ask(lane, address, url, left) {
	const trouble = troubles.get(lane);
	const wait = trouble && (!trouble.url || trouble.url === url) ? trouble.until - now() : 0;
	if (trouble && wait > 0) {
		if (trouble.url || wait > patience * 1200 || !left) return Promise.reject(trouble.error);
		return new Promise((resolve) => setTimeout(resolve, wait)).then(() => ask(lane, address, url, left));
	}
	return request(address, url).then((signature) => {
		troubles.delete(lane);
		return signature;
	}, (error) => {
		const passing = error.code === "unreachable" || error.status === 408 || error.status === 429 || error.status > 499;
		const before = troubles.get(lane);
		const failures = before ? before.failures + 1 : 1;
		const pause = Math.max(error.retryAfter, pauses[Math.min(failures, pauses.length) - 1]);
		troubles.set(lane, {
			failures,
			error,
			until: now() + pause * 1e3 * (1 + Math.random() / 5),
			url: passing ? void 0 : url
		});
		return passing ? ask(lane, address, url, left - 1) : Promise.reject(error);
	});
}
function now() {
	return performance.now();
}
var unsignable = /^(?!https?:)|^\w+:\/\/([\d.]+|\[.*|[^./:?]+)([:/?]|$)/;
/** request asks for a signature of url, or tells of it. XMLHttpRequest, because it has a time limit in every WebView. */
function request(address, url, told) {
	return new Promise((resolve, reject) => {
		const xhr = new XMLHttpRequest();
		const fail = (code, more) => reject(new SuitesignError(code, Object.assign({
			status: xhr.status,
			requestId: header("X-Request-Id"),
			retryAfter: seconds(header("Retry-After"))
		}, more)));
		const header = (name) => new RegExp("^" + name + ":", "im").test(xhr.getAllResponseHeaders() || "") && xhr.getResponseHeader(name) || "";
		xhr.open(told ? "POST" : "GET", address);
		xhr.timeout = requestTimeout;
		xhr.onerror = xhr.ontimeout = xhr.onabort = () => fail(unsignable.test(url) ? "invalid_url" : "unreachable");
		xhr.onload = () => {
			let body;
			try {
				body = JSON.parse(xhr.responseText);
			} catch (_) {
				body = 0;
			}
			body = body || {};
			if (xhr.status === 200 && body.signature && body.nonceStr && body.timestamp) resolve({
				timestamp: "" + body.timestamp,
				nonceStr: body.nonceStr,
				signature: body.signature
			});
			else if (told) resolve(body);
			else if (xhr.status !== 200 && body.code) fail(body.code, {
				detail: body.detail,
				requestId: body.request_id
			});
			else fail(xhr.status > 499 ? "unreachable" : xhr.status === 429 ? "rate_limited" : "bad_answer");
		};
		xhr.send(told);
	});
}
/** Retry-After is a number of seconds or a date. */
function seconds(value) {
	return Math.max(0, +value || (Date.parse(value) - Date.now()) / 1e3 || 0);
}
// src/cure.ts
/** How long a page does not tell the same again, in milliseconds. */
var apart = 6e5;
/** How many are told of the refusals that no new ticket can cure: for statistics. */
var sample = .1;
var next = {};
var cures = /* @__PURE__ */ new WeakMap();
/**
* cure resolves when it is time to register again, and rejects with what was refused
* where that would not help. Asked again about the same it answers the same; without
* a suite it does nothing but that.
*/
function cure(raw, kind, suite) {
	const known = cures.get(Object(raw)) || tell(raw, kind, suite).then((answer) => answer.retry_after ? new Promise((done) => setTimeout(done, answer.retry_after * 1e3)) : Promise.reject(raw), () => Promise.reject(raw));
	cures.set(Object(raw), known);
	return known;
}
function tell(raw, kind, suite) {
	const { said, code, hint } = refusal(raw);
	const last = signed$1[kind];
	if (!suite || suite.report === false || !said || !last || now() < next[kind] || hint !== "client_signature" && Math.random() > sample) return Promise.reject(raw);
	next[kind] = now() + apart;
	return request(base(suite) + "report", last.url, JSON.stringify(Object.assign({
		kind: kind === "agent" ? "agent_config" : kind,
		errMsg: said,
		errCode: code
	}, idsOf(kind, suite), last)));
}
// src/identity.ts
var told = "";
/** checkIdentity tells, before anything is called, of APIs that cannot be called for want of an agentId. */
function checkIdentity(options) {
	const names = "" + options.jsApiList.filter((name) => !options.agentId && /Do|Ex|Sch|To|ai|dCh|ddD|eE|eFi|ep|g$|ir|lF|nAp|nf|pC|pro|tFile$|tP|tt/.test(name));
	if (names && names !== told) report(new SuitesignError("needs_agent", { detail: told = names }), options.onError);
}
// src/tickets.ts
var said = /* @__PURE__ */ new Set();
function warn(what) {
	if (said.has(what)) return;
	said.add(what);
	console.warn("[suitesign] " + what + (inChinese() ? "：人人都能借此冒充企业签名。请删除它，只调用 registerSuite（或 configureWx）。" : ": whoever opens the page can sign as the corp. Remove it: call only registerSuite (or configureWx)."));
}
/** checkTickets warns of options that stem from a page that signed by itself. */
function checkTickets(options) {
	[
		"ticket",
		"jsapi_ticket",
		"jsapiTicket",
		"getConfigSignature",
		"getAgentConfigSignature"
	].forEach((name) => {
		if (name in options) warn(name);
	});
}
// src/register.ts
/** How often a registration begins again because the router moved on meanwhile. */
var moves$1 = 10;
/** register registers the page through the SDK. */
function register(sdk, options) {
	checkTickets(options);
	checkIdentity(options);
	return reporting(prepare$1(sdk, options), options.onError);
}
function prepare$1(sdk, options) {
	if (!options.corpId) return Promise.reject(new SuitesignError("missing_corp_id"));
	const hook = (name, kind) => (raw) => {
		const hook = options[name];
		if (!isAbort(raw)) cure(raw, kind, options).then(() => {
			sdk.ensureConfigReady().catch(() => {});
		}, () => {
			report(raw, options.onError);
		});
		if (hook) hook(raw);
	};
	const given = Object.assign({}, options, {
		getConfigSignature: void 0,
		getAgentConfigSignature: void 0,
		onConfigFail: hook("onConfigFail", "config"),
		onAgentConfigFail: hook("onAgentConfigFail", "agent")
	});
	sdk.register(given);
	const noClient = reachable(sdk) ? void 0 : new SuitesignError("no_client");
	const signer = (kind) => (url) => noClient ? Promise.reject(noClient) : sign(kind, kind === "config" && checksEntryURL() ? entryURL : url, options);
	given.getConfigSignature = signer("config");
	if (options.agentId) given.getAgentConfigSignature = signer("agent");
	if (noClient) return Promise.reject(noClient);
	return within(ready(sdk, moves$1), () => new SuitesignError("no_answer")).then(({ result }) => ({
		identity: sdk.env.isWeCom && options.agentId ? "agent" : "corp",
		url: location.href.split("#")[0],
		checkResult: result && result.checkResult || {}
	}));
}
/** Whether there is a client to register with. */
function reachable(sdk) {
	return sdk.env.isWeCom || sdk.env.isWeChat || typeof window !== "undefined" && "WeixinJSBridge" in window;
}
/**
* The SDK gives a registration up when the page's URL changes meanwhile; the next one
* is for the new URL. What the client refused may be cured: the hooks have seen to it.
*/
function ready(sdk, left) {
	return sdk.ensureConfigReady().catch((error) => isAbort(error) && left ? ready(sdk, left - 1) : cure(error).then(() => ready(sdk, left)));
}
// src/wx.ts
var configured = /* @__PURE__ */ new WeakSet();
var moves = 10;
/**
* configureWx does wx.config and then, in WeCom and with an agentId, wx.agentConfig.
* Both, in the order that every WeCom takes, because jweixin repeats the signature of
* wx.config in each call. wx.error becomes ours: listen to the promise instead. Call
* it again when the history API has changed the URL.
*/
function configureWx(wx, options) {
	checkTickets(options);
	checkIdentity(options);
	return reporting(within(prepare(wx, options), () => new SuitesignError("no_answer")), options.onError);
}
function prepare(wx, options) {
	if (!options.corpId) return Promise.reject(new SuitesignError("missing_corp_id"));
	if (!inClient()) return Promise.reject(new SuitesignError("no_client"));
	const agent = inWeCom() && options.agentId;
	return step("config", wx, options, config).then(() => agent ? step("agent", wx, options, agentConfig) : 0).then(() => ({
		identity: agent ? "agent" : "corp",
		url: here()
	}));
}
/** One registration, and once more where its refusal could be cured. */
function step(kind, wx, options, make) {
	return signed(kind, options, moves).then((s) => make(wx, options, s).catch((raw) => cure(raw, kind, options).then(() => step(kind, wx, options, make))));
}
function here() {
	return location.href.split("#")[0];
}
/** A signature of the URL that the page is at when it has come. */
function signed(kind, options, left) {
	const entry = kind === "config" && checksEntryURL();
	const url = entry ? entryURL : here();
	const moved = () => !entry && url !== here();
	return sign(kind, url, options).then((s) => moved() && left ? signed(kind, options, left - 1) : s, (error) => moved() && left ? signed(kind, options, left - 1) : Promise.reject(error));
}
function config(wx, options, s) {
	return new Promise((resolve, reject) => {
		wx.error(reject);
		wx.config(Object.assign({
			beta: options.beta !== false,
			debug: !!options.debug,
			appId: options.corpId,
			jsApiList: options.jsApiList.slice(),
			openTagList: options.openTagList || []
		}, s));
		if (configured.has(wx)) wx.checkJsApi({
			jsApiList: options.jsApiList.slice(),
			complete: resolve
		});
		else {
			configured.add(wx);
			wx.ready(() => resolve(0));
		}
	});
}
function agentConfig(wx, options, s) {
	return new Promise((resolve, reject) => {
		const params = Object.assign({
			corpid: options.corpId,
			agentid: "" + options.agentId,
			jsApiList: options.jsApiList
		}, s);
		if (wx.agentConfig) wx.agentConfig(Object.assign(params, {
			success: resolve,
			fail: reject
		}));
		else if (wx.invoke) wx.invoke("agentConfig", params, (result) => /:ok$/.test(result.err_msg || result.errMsg) ? resolve(result) : reject(result));
		else reject(new SuitesignError("no_wx"));
	});
}
// src/index.ts
var sdk = {
	register: ww.register,
	ensureConfigReady: ww.ensureConfigReady,
	env: ww.env
};
/**
* Registers the page for the URL that it is at, and resolves once the client has
* accepted it. APIs of the SDK may be called at once: they wait.
*
* Call it again whenever the page must be registered, after a change of route for
* example: while the registration still holds that costs nothing.
*/
function registerSuite(options) {
	return register(sdk, options);
}
export { SuitesignError, configureWx, registerSuite };
