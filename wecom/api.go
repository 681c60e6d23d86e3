package wecom

// The calls, by their path below /cgi-bin/. They are in every error and are what
// Client.Observe is told.
const (
	APISuiteToken      = "service/get_suite_token"       // path/90600
	APIProviderToken   = "service/get_provider_token"    // path/96237
	APIPreAuthCode     = "service/get_pre_auth_code"     // path/90601
	APISetSessionInfo  = "service/set_session_info"      // path/90602
	APIPermanentCodeV1 = "service/get_permanent_code"    // path/90603
	APIPermanentCode   = "service/v2/get_permanent_code" // path/100776
	APIAuthInfoV1      = "service/get_auth_info"         // path/90604
	APIAuthInfo        = "service/v2/get_auth_info"      // path/100795
	APICorpToken       = "service/get_corp_token"        // path/90605
	APIAdminList       = "service/get_admin_list"        // path/90606
	APIOpenCorpID      = "service/corpid_to_opencorpid"  // path/95604
	APIAppToken        = "gettoken"                      // path/91039
	APIAgentList       = "agent/list"                    // path/90227
	APIAgentGet        = "agent/get"                     // path/96448
	APIJSAPITicket     = "get_jsapi_ticket"              // path/90506
	APIAgentTicket     = "ticket/get"                    // path/90506
)

// carries names the token that a call carries in its query; the others carry a secret.
var carries = map[string]string{
	APIPreAuthCode:     "suite_access_token",
	APISetSessionInfo:  "suite_access_token",
	APIPermanentCodeV1: "suite_access_token",
	APIPermanentCode:   "suite_access_token",
	APIAuthInfoV1:      "suite_access_token",
	APIAuthInfo:        "suite_access_token",
	APICorpToken:       "suite_access_token",
	APIAdminList:       "suite_access_token",
	APIOpenCorpID:      "provider_access_token",
	APIAgentList:       "access_token",
	APIAgentGet:        "access_token",
	APIJSAPITicket:     "access_token",
	APIAgentTicket:     "access_token",
}
