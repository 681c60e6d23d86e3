package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"suitesign/audit"
	"suitesign/netguard"
	"suitesign/reach"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web/apikey"
	"suitesign/web/idempotency"
	"suitesign/web/imports"
	"suitesign/web/webhook"
)

// Errors that the admin API raises itself: the rooms say that something is not
// there, only the handler knows what it was.
var (
	errSuiteNotFound  = errors.New("no such suite")
	errTenantNotFound = errors.New("no such tenant")
	errDomainNotFound = errors.New("no such domain")
	errAliasNotFound  = errors.New("no such alias")
	errEventNotFound  = errors.New("no such event")
	errScope          = errors.New("the api key lacks a scope")
	errKeyBound       = errors.New("the api key is bound, and this concerns more")
)

// adminProblems are what the admin API can refuse.
var adminProblems = []row{
	{errInvalidJSON, http.StatusBadRequest, "invalid_json", "Not JSON",
		"The body is not one JSON object.", "请求体不是一个 JSON 对象。", 0},
	{errScope, http.StatusForbidden, "insufficient_scope", "Scope needed",
		"The API key may not do this.", "该 API key 没有所需的权限。", 0},
	{errKeyBound, http.StatusForbidden, "key_bound", "Key is bound",
		"The API key is bound to suites or tenants, and this call concerns more than these. Use a key that is not bound.",
		"该 API key 仅限指定的套件或租户，而此接口涉及更大的范围，请使用不受限的 key。", 0},
	{reach.ErrUnprotected, http.StatusServiceUnavailable, "bound_keys_unprotected", "Bound keys are refused",
		"The database cannot hold a bound key within its bounds: the role suitesign_bound is missing. The operator runs 'suitesign migrate up', which makes it or prints what to run.",
		"数据库尚无法隔离受限的 API key：缺少角色 suitesign_bound。请运维人员执行 suitesign migrate up，它会创建该角色或打印需要执行的 SQL。", time.Minute},
	{errSuiteNotFound, http.StatusNotFound, "suite_not_found", "No such suite",
		"There is no suite with this suite_id; case matters.", "没有该 suite_id 对应的套件（区分大小写）。", 0},
	{errTenantNotFound, http.StatusNotFound, "tenant_not_found", "No such tenant",
		"There is no tenant with this id.", "没有该 id 对应的租户。", 0},
	{errDomainNotFound, http.StatusNotFound, "domain_not_found", "No such domain",
		"This domain is not stored here; PUT stores it.", "此处没有保存该域名，可用 PUT 添加。", 0},
	{errAliasNotFound, http.StatusNotFound, "alias_not_found", "No such alias",
		"The tenant has no such alias. The corp_id that it came with is not one.", "该租户没有此别名；授权时的 corp_id 不是别名。", 0},
	{errEventNotFound, http.StatusNotFound, "event_not_found", "No such event",
		"There is no event with this id; events are kept 35 days at most.", "没有该 id 对应的事件；事件最多保留 35 天。", 0},
	{audit.ErrNotFound, http.StatusNotFound, "audit_entry_not_found", "No such audit entry",
		"There is no entry with this id in the audit log; entries are kept as long as the operator says, 400 days by default.",
		"审计日志中没有该 id 对应的记录；记录默认保留 400 天，由运维人员决定。", 0},
	{webhook.ErrNotFound, http.StatusNotFound, "webhook_not_found", "No such webhook",
		"There is no webhook with this id.", "没有该 id 对应的 webhook。", 0},
	{webhook.ErrDeliveryNotFound, http.StatusNotFound, "delivery_not_found", "No such delivery",
		"The webhook has no delivery with this id; deliveries are kept 14 days.", "该 webhook 没有此 id 对应的投递记录；投递记录保留 14 天。", 0},
	{webhook.ErrDisabled, http.StatusConflict, "webhook_disabled", "Webhook is disabled",
		"The webhook is disabled, so nothing is sent to it. Enable it with PATCH first.", "该 webhook 已停用，不会发送任何内容，请先用 PATCH 启用。", 0},
	{netguard.ErrURL, http.StatusBadRequest, "invalid_webhook_url", "Invalid webhook URL",
		"Write an https URL without user name and fragment, for example https://hooks.example.com/suitesign.",
		"请填写不含用户名和 # 片段的 https URL，例如 https://hooks.example.com/suitesign。", 0},
	{netguard.ErrForbidden, http.StatusBadRequest, "webhook_url_forbidden", "Webhook URL not allowed",
		"The URL leads to an address or port that is not called, or in plain http. The operator can allow a network (outbound.allow).",
		"该 URL 指向不允许访问的地址或端口，或使用了明文 http。运维人员可通过 outbound.allow 放行指定网段。", 0},
	{imports.ErrNotFound, http.StatusNotFound, "import_not_found", "No such import",
		"There is no import with this id; they are kept for 30 days after their end.", "没有该 id 对应的导入；导入结束后保留 30 天。", 0},
	{imports.ErrFinished, http.StatusConflict, "import_done", "Import is done",
		"All of its rows are worked off; there is nothing left to cancel.", "该导入的所有行均已处理，没有可取消的内容。", 0},
	{imports.ErrFile, http.StatusBadRequest, "invalid_file", "Invalid file",
		"The file is not as documented in docs/import.md.", "文件不符合 docs/import.md 的说明。", 0},
	{imports.ErrTooLarge, http.StatusRequestEntityTooLarge, "import_too_large", "File too large",
		"The file has more rows than are taken in at once: divide it.", "文件行数超过单次导入的上限，请拆分。", 0},
	{imports.ErrBusy, http.StatusTooManyRequests, "imports_busy", "Too many uploads",
		"This replica is taking in other files. Try again soon.", "该实例正在接收其他文件，请稍后重试。", 5 * time.Second},
	{apikey.ErrNotFound, http.StatusNotFound, "api_key_not_found", "No such API key",
		"There is no API key with this id.", "没有该 id 对应的 API key。", 0},
	{apikey.ErrExpired, http.StatusBadRequest, "invalid_request", "Invalid request",
		"expires_at is in the past.", "expires_at 已是过去的时间。", 0},
	{apikey.ErrInactive, http.StatusConflict, "api_key_inactive", "API key inactive",
		"The key is revoked or has expired. Make a new one.", "该 API key 已吊销或已过期，请创建新的。", 0},
	{apikey.ErrReplaced, http.StatusConflict, "api_key_replaced", "API key was rotated",
		"The key was rotated already. Rotate the key that replaces it, or make a new one.", "该 API key 已轮换过，请轮换替代它的 key，或创建新的。", 0},
	{apikey.ErrVersion, http.StatusPreconditionFailed, "version_conflict", "Changed meanwhile",
		"The thing has changed since you read it. Read it again and repeat the change.", "读取之后内容已被修改，请重新读取后再修改。", 0},
	{tenant.ErrConflict, http.StatusConflict, "corp_id_taken", "corp_id is taken",
		"This corp_id names a tenant of the suite already, as its id or as an alias.", "该 corp_id 已是此套件中某个租户的 id 或别名。", 0},
	{suite.ErrExists, http.StatusConflict, "suite_exists", "Suite exists",
		"A suite with this suite_id exists already. Change it with PATCH.", "该 suite_id 已存在，请用 PATCH 修改。", 0},
	{suite.ErrHasActiveTenants, http.StatusConflict, "suite_has_active_tenants", "Suite in use",
		"Corps still use this suite. Disable its tenants first.", "仍有企业在使用该套件，请先停用其租户。", 0},
	{suite.ErrWrongKind, http.StatusConflict, "suite_not_internal", "Not an internal suite",
		"Tenants are added and removed by hand in suites of kind internal only. Others come and go by authorization in WeCom.",
		"只有 internal 类型的套件可以手工增删租户，其他租户随企业微信授权变化。", 0},
	{suite.ErrNotRetryable, http.StatusConflict, "event_not_retryable", "Nothing to retry",
		"Nothing is left of this event that could be done again.", "该事件没有可以重做的内容。", 0},
	{tenant.ErrCancelled, http.StatusConflict, "tenant_cancelled", "Tenant is cancelled",
		"WeCom ended this authorization; the corp has to install the suite again.", "该授权已被企业微信取消，需要企业重新安装应用。", 0},
	{tenant.ErrVersion, http.StatusPreconditionFailed, "version_conflict", "Changed meanwhile",
		"The thing has changed since you read it. Read it again and repeat the change.", "读取之后内容已被修改，请重新读取后再修改。", 0},
	{suite.ErrVersion, http.StatusPreconditionFailed, "version_conflict", "Changed meanwhile",
		"The thing has changed since you read it. Read it again and repeat the change.", "读取之后内容已被修改，请重新读取后再修改。", 0},
	{idempotency.ErrInProgress, http.StatusConflict, "idempotency_in_progress", "Request under way",
		"The request with this Idempotency-Key is under way. Ask again to be told what it was answered.", "使用该 Idempotency-Key 的请求仍在处理中，请稍后重试以获取其结果。", time.Second},
	{idempotency.ErrReused, http.StatusUnprocessableEntity, "idempotency_key_reused", "Idempotency-Key used before",
		"Another request was sent with this Idempotency-Key. Each request needs one of its own; only a repetition has the same.",
		"该 Idempotency-Key 已用于另一个请求。每个请求须使用各自的 Idempotency-Key，只有重发同一请求时才可重复使用。", 0},
	{webhook.ErrVersion, http.StatusPreconditionFailed, "version_conflict", "Changed meanwhile",
		"The thing has changed since you read it. Read it again and repeat the change.", "读取之后内容已被修改，请重新读取后再修改。", 0},
	{ticket.ErrNoAuthorization, http.StatusConflict, "authorization_missing", "No authorization in force",
		"There is no authorization to fetch credentials with; the corp has to install the suite again.",
		"没有可用的授权，无法获取凭证，需要企业重新安装应用。", 0},
	{tenant.ErrCheckedLately, http.StatusTooManyRequests, "domain_checked_lately", "Domain checked a moment ago",
		"The domain was checked a moment ago; its GET shows what was found. Wait as long as Retry-After says.",
		"该域名刚刚检查过，GET 可查看结果，请按 Retry-After 等待后再试。", 10 * time.Second},
	{ticket.ErrBudgetSpent, http.StatusTooManyRequests, "refresh_budget_spent", "Refresh budget spent",
		"The calls to WeCom that this corp may cost are spent for now; wait as long as Retry-After says.",
		"该企业的企业微信调用额度暂已用完，请按 Retry-After 等待后重试。", time.Minute},
}

// inWords gives an error of the rooms its fields, in the language of the caller.
func inWords(r *http.Request, err error) error {
	language := languageOf(r)
	var faults suite.Invalid
	if errors.As(err, &faults) {
		fields := convert(faults, func(f suite.FieldFault) FieldError {
			return FieldError{Pointer: "/" + f.Field, Detail: say(language, f.Detail, f.Zh)}
		})
		return fieldFault(fields)
	}
	var file *imports.FileError
	if errors.As(err, &file) {
		return &fault{err: err, en: file.En, zh: file.Zh}
	}
	var shape *tenant.ShapeError
	if en, zh, ok := shapeDetail(err); ok && errors.As(err, &shape) {
		f := &fault{err: err, en: en, zh: zh}
		f.fields = []FieldError{{Pointer: placeOf(shape), Detail: say(language, en, zh)}}
		if !errors.Is(err, tenant.ErrInvalidDomain) {
			f.err = errInvalidRequest
		}
		return f
	}
	var beyond *apikey.BeyondError
	if errors.As(err, &beyond) {
		return beyondScope(beyond.Scope)
	}
	var unknown *apikey.BindingError
	if errors.As(err, &unknown) {
		return fieldFault([]FieldError{{Pointer: fmt.Sprintf("/%s/%d", unknown.Field, unknown.Index), Detail: say(language, "is not there", "不存在")}})
	}
	if errors.Is(err, apikey.ErrExpired) {
		return fieldFault([]FieldError{{Pointer: "/expires_at", Detail: say(language, "must be a time to come", "须为将来的时间")}})
	}
	return ofWebhook(err, language)
}

// placeOf is where a text stands that the tenant room refuses.
func placeOf(shape *tenant.ShapeError) string {
	switch {
	case errors.Is(shape, tenant.ErrInvalidFile):
		return "/verification_file/" + shape.Code
	case errors.Is(shape, tenant.ErrInvalidDomain):
		return "domain"
	}
	return "corp_id"
}

// bindFault is what the generated code could not read although the contract
// allows it, as a date that no calendar has. Its text repeats the value: what is
// told is the place.
func bindFault(r *http.Request, err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	language := languageOf(r)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) && mistyped.Field != "" {
		return fieldFault([]FieldError{{Pointer: pointer(strings.Split(mistyped.Field, ".")), Detail: say(language, "cannot be read as documented", "无法按接口文档解析")}})
	}
	var badTime *time.ParseError
	if errors.As(err, &badTime) {
		return invalid("", "A time is not one of the calendar; write it as RFC 3339 does, 2026-03-01T08:00:00Z.", "时间不存在，请使用 RFC 3339 格式，例如 2026-03-01T08:00:00Z。")
	}
	return errInvalidRequest
}
