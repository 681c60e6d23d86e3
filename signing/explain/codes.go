package explain

// Code is a finding's stable name.
type Code string

// The codes of findings. See docs/api.md for what each means.
const (
	InvalidURL       Code = "invalid_url"
	SuiteIDUnknown   Code = "suite_id_unknown"
	CorpIDMissing    Code = "corp_id_missing"
	CorpIDIsSuiteID  Code = "corp_id_is_suite_id"
	CorpIDIsProvider Code = "corp_id_is_provider"
	CorpIDSpelling   Code = "corp_id_spelling"
	CorpIDUnknown    Code = "corp_id_unknown"
	TenantAmbiguous  Code = "tenant_ambiguous"
	TenantCancelled  Code = "tenant_cancelled"
	TenantDisabled   Code = "tenant_disabled"
	TicketMissing    Code = "ticket_missing"

	UntrustedDomain     Code = "untrusted_domain"
	HTTPNotTrusted      Code = "http_not_trusted"
	PortNotTrusted      Code = "port_not_trusted"
	SubdomainNotTrusted Code = "subdomain_not_trusted"
	OriginMismatch      Code = "origin_mismatch"
	DomainUnverified    Code = "domain_unverified"
	DomainRefused       Code = "domain_refused"
	AppUnavailable      Code = "app_unavailable"

	TripleIncomplete      Code = "triple_incomplete"
	SignatureNotSHA1      Code = "signature_not_sha1"
	SignatureUpperCase    Code = "signature_upper_case"
	TimestampMilliseconds Code = "timestamp_milliseconds"
	TimestampNotSeconds   Code = "timestamp_not_seconds"
	DamagedTimestamp      Code = "damaged_timestamp"
	ParameterSpelling     Code = "parameter_spelling"
	ParameterOrder        Code = "parameter_order"
	NonceDiffers          Code = "nonce_differs"
	LineBreak             Code = "line_break"

	TicketKindsSwapped Code = "ticket_kinds_swapped"
	OtherAppTicket     Code = "other_app_ticket"
	OtherCorpTicket    Code = "other_corp_ticket"
	AccessTokenUsed    Code = "access_token_used"
	StaleTicket        Code = "stale_ticket"

	WeChatEntryURL  Code = "wechat_entry_url"
	EntryURL        Code = "entry_url"
	FragmentKept    Code = "fragment_kept"
	HTMLEscaped     Code = "html_escaped"
	URLEncodedTwice Code = "url_encoded_twice"
	URLDecoded      Code = "url_decoded"
	URLNotEncoded   Code = "url_not_encoded"
	QueryDropped    Code = "query_dropped"
	QueryAppended   Code = "query_appended"
	URLRewritten    Code = "url_rewritten"
	SchemeDiffers   Code = "scheme_differs"
	TrailingSlash   Code = "trailing_slash"
	LetterCase      Code = "letter_case"
	PortDiffers     Code = "port_differs"
	HostDiffers     Code = "host_differs"

	AgentIDMissing      Code = "agent_id_missing"
	AgentIDUnknown      Code = "agent_id_unknown"
	AgentNone           Code = "agent_none"
	CorpIDForm          Code = "corp_id_form"
	NotInWeCom          Code = "not_in_wecom"
	AgentInWeChat       Code = "agent_in_wechat"
	CallbackMissing     Code = "callback_missing"
	RegistrationAborted Code = "registration_aborted"
	OldClient           Code = "old_client"

	APIMisnamed     Code = "api_misnamed"
	APIUnknown      Code = "api_unknown"
	APIWrongKind    Code = "api_wrong_kind"
	APINeedsAgent   Code = "api_needs_agent"
	APINotListed    Code = "api_not_listed"
	APIEntry        Code = "api_entry"
	APIClient       Code = "api_client"
	APIClientTooOld Code = "api_client_too_old"

	ClockSkew            Code = "clock_skew"
	TicketRefused        Code = "ticket_refused"
	PageDiffers          Code = "page_differs"
	NoPermission         Code = "no_permission"
	SignatureUnexplained Code = "signature_unexplained"
	SignatureFits        Code = "signature_fits"
	MoreNeeded           Code = "more_needed"
)

// Codes are all codes, in the order in which they stop a page: of findings of the
// same severity the earlier one comes first.
var Codes = []Code{
	InvalidURL, SuiteIDUnknown, CorpIDMissing, CorpIDIsSuiteID, CorpIDIsProvider, CorpIDSpelling, CorpIDUnknown, TenantAmbiguous, TenantCancelled, TenantDisabled,
	UntrustedDomain, HTTPNotTrusted, PortNotTrusted, SubdomainNotTrusted, OriginMismatch, TicketMissing, AppUnavailable,
	TripleIncomplete, SignatureNotSHA1, SignatureUpperCase, TimestampMilliseconds, TimestampNotSeconds, DamagedTimestamp, ParameterSpelling, ParameterOrder, NonceDiffers, LineBreak,
	TicketKindsSwapped, OtherAppTicket, OtherCorpTicket, AccessTokenUsed,
	WeChatEntryURL, EntryURL, FragmentKept, HTMLEscaped, URLEncodedTwice, URLDecoded, URLNotEncoded, QueryDropped, QueryAppended, URLRewritten,
	SchemeDiffers, TrailingSlash, LetterCase, PortDiffers, HostDiffers, StaleTicket,
	NotInWeCom, AgentInWeChat, CallbackMissing, AgentIDMissing, AgentIDUnknown, AgentNone, CorpIDForm, DomainUnverified, DomainRefused, RegistrationAborted, OldClient,
	APIMisnamed, APIUnknown, APIWrongKind, APINeedsAgent, APINotListed, APIEntry, APIClient, APIClientTooOld,
	ClockSkew, TicketRefused, PageDiffers, NoPermission, SignatureUnexplained, SignatureFits, MoreNeeded,
}

// texts are the words of every code; {names} are filled in.
var texts = func() map[Code]text {
	all := make(map[Code]text)
	for _, part := range []map[Code]text{whoTexts, signatureTexts, urlTexts, pageTexts} {
		for code, t := range part {
			all[code] = t
		}
	}
	return all
}()

// A text is a finding's words in both languages.
type text struct{ en, zh Words }
