package explain

import (
	"strings"
	"time"

	"suitesign/tenant"
	"suitesign/wecom/jsapi"
)

// explainer works on one question.
type explainer struct {
	*Report
	q      Question
	k      Known
	client jsapi.Client // zero without a user agent
	said   told         // what the error says

	current *page // the page as told
	entry   *page // the entry's; nil without one
	right   *page // whose URL has to be signed; nil if it cannot be
	match   *match
}

// Explain says what is wrong with a registration.
func Explain(q Question, k Known) Report {
	e := &explainer{Report: &Report{}, q: q, k: k, said: read(q.Error, q.Errcode)}
	if q.UserAgent != "" {
		e.client = jsapi.ClientOf(q.UserAgent)
	}
	e.readPages()
	e.explainIDs()
	e.explainDomain()
	e.explainTriple()
	e.explainClock()
	e.explainFaults()
	e.explainClient()
	e.explainAPI()
	e.explainError()
	e.finish()
	return *e.Report
}

// readPages finds the URL that has to be signed: the page's own, but WeChat on a
// phone checks against the one that the page was opened with.
func (e *explainer) readPages() {
	current := readPage(e.q.URL)
	e.current = &current
	e.right = e.current
	if e.q.EntryURL != "" {
		entry := readPage(e.q.EntryURL)
		if entry.err == nil {
			e.entry = &entry
		}
		if e.inWeChatPhone() && e.entry != nil {
			e.right = e.entry
		}
	}
	if e.right.err != nil {
		e.right = nil
	}
	if current.err != nil {
		e.find(InvalidURL, Error, args{"reason": reasonOf(current.err)}, fact("url", "", current.said))
	}
	if e.right != nil {
		e.Page = e.right.url
	}
}

func (e *explainer) inWeChatPhone() bool {
	return e.client.App == jsapi.WeChat && (e.client.Platform == jsapi.IOS || e.client.Platform == jsapi.Android) && e.q.Kind != Agent
}

// trusts are the domains of whom the page means.
func (e *explainer) trusts() []tenant.TrustedDomain {
	if e.k.App == nil {
		return nil
	}
	return e.k.App.Trusts
}

// explainClock looks for a time to come.
func (e *explainer) explainClock() {
	if at, ok := seconds(e.q.Timestamp); ok && at.After(e.k.Now.Add(skew)) {
		e.find(ClockSkew, Warning, args{"span": rough(at.Sub(e.k.Now)), "way": "ahead", "way_zh": "快"},
			fact("timestamp", e.k.Now.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339)))
	}
}

// explainFaults tells what had to be mended in the URL as it was told. Where the
// signature was made as it should be, that was only a way of telling.
func (e *explainer) explainFaults() {
	severity := Warning
	if e.match != nil {
		severity = Info
	}
	for _, f := range e.current.faults {
		e.find(f.code, severity, nil, compare("url", f.mended, f.found))
	}
}

// finish makes the canonical string, says what would help to know where nothing
// was found, and puts the cause first.
func (e *explainer) finish() {
	if e.right != nil {
		e.Canonical = forms[0].write(mask, or(e.q.NonceStr, "<nonceStr>"), or(canonicalTime(e.q.Timestamp), "<timestamp>"), e.right.url)
	}
	if !e.wrong() {
		if e.match != nil {
			e.find(SignatureFits, Info, args{"signed_by": e.match.name()})
		}
		if missing := e.missing(); missing != nil {
			e.find(MoreNeeded, Info, args{"missing": strings.Join(missing, ", ")})
		}
	}
	e.order()
	e.OK = !e.wrong()
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// canonicalTime is the timestamp as it should have been signed.
func canonicalTime(t string) string {
	if digits.MatchString(t) && len(t) >= 12 {
		return t[:len(t)-3]
	}
	return t
}

// missing names what was not told and would tell more.
func (e *explainer) missing() (names []string) {
	for _, f := range []field{
		{"timestamp", e.q.Timestamp}, {"nonce_str", e.q.NonceStr}, {"signature", e.q.Signature}, {"kind", string(e.q.Kind)},
		{"corp_id", e.q.CorpID}, {"error", e.q.Error}, {"user_agent", e.q.UserAgent},
	} {
		if f.value == "" {
			names = append(names, f.name)
		}
	}
	return names
}
