package wecom

import "strconv"

// SuiteID names a suite: a third-party app's suite_id, a customised template's
// id (dk…), or an id that the operator gave an internal app. Never folded: two
// ids that differ in case are two suites.
type SuiteID string

// CorpID names a corp as the platform names it to this provider, in plain or in
// encrypted form. The encrypted form is case-sensitive, so neither is ever folded
// (developer.work.weixin.qq.com/document/path/97104).
type CorpID string

// AgentID is the number of an app inside one corp.
type AgentID int64

// String is the decimal form, as the platform writes it.
func (a AgentID) String() string { return strconv.FormatInt(int64(a), 10) }
