package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"suitesign/reach"
	"suitesign/signing"
	"suitesign/signing/pagereport"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/wecom"
)

// Errors that web raises itself. A [fault] around one says what exactly is wrong.
var (
	errInvalidRequest   = errors.New("invalid request")
	errNotFound         = errors.New("nothing here")
	errMethodNotAllowed = errors.New("method not allowed")
	errBodyTooLarge     = errors.New("body too large")
	errMediaType        = errors.New("media type not supported")
	errUnauthorized     = errors.New("no valid api key")
	errRateLimited      = errors.New("too many requests from this address")
	errDatabaseAway     = errors.New("the database cannot be reached")
	errClientGone       = errors.New("client went away")
	errWeCom            = errors.New("WeCom refused")
	errPanic            = errors.New("panic")
	errStarting         = errors.New("starting")
)

// statusClientGone is what the log and the metrics show for a request whose
// client went away before the answer; nobody reads that answer.
const statusClientGone = 499

// row is one line of the error table: how an error looks outside.
type row struct {
	err    error
	status int
	code   string
	title  string
	en, zh string        // the detail: what to do
	retry  time.Duration // Retry-After, where the error itself names none
}

// internal is what every error looks like that is not in the table.
var internal = row{nil, http.StatusInternalServerError, "internal", "Internal error",
	"Something failed on our side. Try again, and name the request_id if it stays so.",
	"服务内部错误，请稍后重试；若持续出现，请提供 request_id。", 0}

// problems is the one error table: the first row whose error is in the chain
// decides, so what a room says comes before what the standard library says.
// docs/api.md lists every code of it (TestEveryCodeIsDocumented).
var problems = slices.Concat(adminProblems, signProblems, suiteProblems, tenantProblems, requestProblems)

// requestProblems are what can be wrong with any request.
var requestProblems = []row{
	{errInvalidRequest, http.StatusBadRequest, "invalid_request", "Invalid request",
		"A parameter or the body is not as documented.", "请求参数或请求体不符合接口文档。", 0},
	{errNotFound, http.StatusNotFound, "not_found", "Not found",
		"There is nothing at this path.", "该路径不存在。", 0},
	{errMethodNotAllowed, http.StatusMethodNotAllowed, "method_not_allowed", "Method not allowed",
		"This path does not know this method; the Allow header names those it knows.", "该路径不支持此方法，可用方法见 Allow 响应头。", 0},
	{errBodyTooLarge, http.StatusRequestEntityTooLarge, "body_too_large", "Body too large",
		"The body is larger than this endpoint reads.", "请求体超过该接口允许的大小。", 0},
	{errMediaType, http.StatusUnsupportedMediaType, "unsupported_media_type", "Media type not supported",
		"Send the body in the documented media type, without a Content-Encoding.", "请使用接口文档规定的媒体类型发送请求体，且不要使用 Content-Encoding。", 0},
	{errUnauthorized, http.StatusUnauthorized, "unauthorized", "API key needed",
		"Send a valid API key as 'Authorization: Bearer <api key>'.", "请以 Authorization: Bearer <api key> 携带有效的 API key。", 0},
	{errRateLimited, http.StatusTooManyRequests, "rate_limited", "Too many requests",
		"Too many requests; wait as long as Retry-After says.", "请求过于频繁，请按 Retry-After 等待后重试。", time.Second},
	{errClientGone, statusClientGone, "client_gone", "Client went away",
		"The request was ended by its client.", "客户端已断开。", 0},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "timeout", "Took too long",
		"The answer took too long. Try again.", "处理超时，请稍后重试。", time.Second},
	{errStarting, http.StatusServiceUnavailable, "starting", "Starting",
		"This replica is starting and waits for its database. Try again soon.", "服务正在启动，等待数据库就绪，请稍后重试。", time.Second},
	{errDatabaseAway, http.StatusServiceUnavailable, "database_unavailable", "Database unavailable",
		"The database cannot be reached. Try again soon.", "数据库暂时不可用，请稍后重试。", 5 * time.Second},
}

// signProblems are why a page gets no signature.
var signProblems = []row{
	{signing.ErrOriginMismatch, http.StatusForbidden, "origin_mismatch", "Origin mismatch",
		"The request's Origin is not that of url: a page asks for its own URL only.", "请求的 Origin 与 url 不一致，页面只能为自身的 URL 请求签名。", 0},
	{signing.ErrTenantNotFound, http.StatusNotFound, "tenant_not_found", "No such tenant",
		"No corp with this suite_id and corp_id has installed the suite.", "没有与该 suite_id、corp_id 对应的授权企业。", 0},
	{signing.ErrTenantAmbiguous, http.StatusConflict, "tenant_ambiguous", "Several tenants match",
		"Several corps trust this page's host: say suite_id and corp_id.", "有多个企业信任该页面的域名，请指定 suite_id 和 corp_id。", 0},
	{signing.ErrTenantInactive, http.StatusForbidden, "tenant_inactive", "Tenant inactive",
		"The tenant is disabled, or its corp has cancelled the authorization.", "该企业已被停用，或已取消授权。", 0},
	{signing.ErrUntrusted, http.StatusForbidden, "untrusted_domain", "Domain not trusted",
		"The page's host, port or http is not trusted. An admin can add the domain: PUT /v1/tenants/{tenant_id}/domains/{domain}.", "页面的域名、端口或 http 协议不受信任，可由管理员添加可信域名：PUT /v1/tenants/{tenant_id}/domains/{domain}。", 0},
	{signing.ErrAgentNotFound, http.StatusNotFound, "agent_not_found", "No such agent",
		"The tenant has no such agent. Leave agent_id out where there is only one.", "该企业没有此 agent_id 对应的应用；仅有一个应用时可省略 agent_id。", 0},
	{signing.ErrAgentAmbiguous, http.StatusConflict, "agent_ambiguous", "Several agents match",
		"The tenant has several agents: say agent_id.", "该企业有多个应用，请指定 agent_id。", 0},
	{signing.ErrRateLimited, http.StatusTooManyRequests, "rate_limited", "Too many requests",
		"The tenant's pages ask for too many signatures; wait as long as Retry-After says.", "该企业的签名请求过于频繁，请按 Retry-After 等待后重试。", time.Second},
	{signing.ErrStale, http.StatusServiceUnavailable, "database_unavailable", "Database unavailable",
		"The database has been away for too long to sign from memory. Try again soon.", "数据库长时间不可用，暂时无法签名，请稍后重试。", 5 * time.Second},
	{pagereport.ErrBusy, http.StatusTooManyRequests, "rate_limited", "Too many requests",
		"Too many questions about pages are being looked into; wait as long as Retry-After says.", "诊断请求过多，请按 Retry-After 等待后重试。", 5 * time.Second},
	{ticket.ErrNone, http.StatusServiceUnavailable, "ticket_unavailable", "No live ticket",
		"There is no live ticket for this tenant at the moment; one is being fetched. Try again soon.", "该企业暂无有效的 jsapi_ticket，系统正在获取，请稍后重试。", 5 * time.Second},
}

// tenantProblems are texts that the tenant room refuses.
var tenantProblems = []row{
	{tenant.ErrInvalidURL, http.StatusBadRequest, "invalid_url", "Invalid page URL",
		"Send location.href, without its fragment, through encodeURIComponent.", "请传入 encodeURIComponent(location.href.split('#')[0])。", 0},
	{tenant.ErrInvalidDomain, http.StatusBadRequest, "invalid_domain", "Invalid domain",
		"Write host or host:port, for example h5.example.com.", "请填写 主机名 或 主机名:端口，例如 h5.example.com。", 0},
	{tenant.ErrNotFound, http.StatusNotFound, "not_found", "Not found",
		"There is no such thing.", "没有找到对应的内容。", 0},
}

// suiteProblems are what can go wrong between a suite, its installers and WeCom.
var suiteProblems = []row{
	{suite.ErrForged, http.StatusForbidden, "callback_refused", "Callback refused",
		"This was not sealed by WeCom for this address. Check Token and EncodingAESKey of the suite.", "该请求不是企业微信为此地址加密的回调，请检查应用的 Token 与 EncodingAESKey。", 0},
	{suite.ErrMalformedCallback, http.StatusBadRequest, "callback_malformed", "Not a callback",
		"This is not a callback of WeCom.", "该请求不是企业微信的回调。", 0},
	{errNotStored, http.StatusInternalServerError, "callback_not_stored", "Callback not stored",
		"The callback could not be stored in time; deliver it again.", "回调未能及时保存，请重新投递。", 0},
	{suite.ErrState, http.StatusBadRequest, "install_state_invalid", "Installation unknown",
		"This installation was begun in another browser, or more than 20 minutes ago, or is finished. Begin again on the install page.", "该安装流程不是由此浏览器发起、已超过 20 分钟或已经完成，请从安装页面重新开始。", 0},
	{suite.ErrCode, http.StatusBadRequest, "install_code_invalid", "Not an auth_code",
		"The auth_code is not one that WeCom gives. Begin again on the install page.", "auth_code 无效，请从安装页面重新开始。", 0},
	{errCrossOrigin, http.StatusForbidden, "cross_origin", "Posted by another site",
		"Open the install page and use its button.", "请打开安装页面并点击其中的按钮。", 0},
	{suite.ErrNoSuiteTicket, http.StatusServiceUnavailable, "suite_ticket_missing", "No suite_ticket yet",
		"WeCom has not pushed a usable suite_ticket yet. It does so every ten minutes, and at once by the button in the provider console.", "尚未收到可用的 suite_ticket。企业微信每十分钟推送一次，也可在服务商后台手动刷新。", time.Minute},
	{suite.ErrSuiteBlocked, http.StatusServiceUnavailable, "suite_blocked", "WeCom refuses the suite",
		"WeCom refuses the suite: its secret is wrong, or our IP is not on the provider's list. Only the operator can mend that.", "企业微信拒绝该应用：secret 有误，或服务器 IP 不在服务商白名单中，请联系运维人员处理。", time.Minute},
	{suite.ErrSuiteUnavailable, http.StatusServiceUnavailable, "suite_unavailable", "Suite token unavailable",
		"The suite_access_token could not be fetched; that is tried again by itself.", "暂时无法获取 suite_access_token，系统会自动重试。", 10 * time.Second},
	{suite.ErrNotFound, http.StatusNotFound, "not_found", "Not found",
		"There is no such thing.", "没有找到对应的内容。", 0},
	{wecom.ErrUnreachable, http.StatusBadGateway, "wecom_unreachable", "WeCom cannot be reached",
		"WeCom did not answer. Try again soon.", "企业微信暂时无响应，请稍后重试。", 5 * time.Second},
	{wecom.ErrMalformed, http.StatusBadGateway, "wecom_unreachable", "WeCom cannot be reached",
		"WeCom gave no usable answer. Try again soon.", "企业微信返回内容无法识别，请稍后重试。", 5 * time.Second},
	{errWeCom, http.StatusBadGateway, "wecom_error", "WeCom refused",
		"WeCom refused; wecom tells its errcode and what to do.", "企业微信返回错误，详见 wecom 字段中的 errcode 与处理建议。", 0},
}

// rowOf finds the row of the error table that err is.
func rowOf(r *http.Request, err error) row {
	// An end of the context that is not the client's doing is our own fault.
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		err = errClientGone
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = errBodyTooLarge
	}
	for _, line := range problems {
		if errors.Is(err, line.err) {
			return line
		}
	}
	var refused *wecom.Error
	switch {
	case outOfReach(r, err):
		return rowOf(r, errNotFound)
	case errors.As(err, &refused):
		return rowOf(r, errWeCom)
	case databaseAway(err):
		return rowOf(r, errDatabaseAway)
	}
	return internal
}

// outOfReach tells whether row-level security kept a bound key from a row: for the
// key there is none.
func outOfReach(r *http.Request, err error) bool {
	var refused *pgconn.PgError
	_, bound := reach.Of(r.Context())
	return bound && errors.As(err, &refused) && refused.Code == "42501"
}

// databaseAway tells whether the database could not be asked, as against having
// been asked something wrong.
func databaseAway(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		// 08 connection exception, 53 insufficient resources, 57P going down, 25006 read-only: a demoted primary,
		// 40 rolled back for the sake of another transaction: the same request works a moment later
		return strings.HasPrefix(refused.Code, "08") || strings.HasPrefix(refused.Code, "53") || strings.HasPrefix(refused.Code, "40") ||
			strings.HasPrefix(refused.Code, "57P") || refused.Code == "25006"
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err)
}
