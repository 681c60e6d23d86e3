package explain

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A used is a ticket that may have made the signature; code is the mistake that
// is, "" where it is the right one.
type used struct {
	code   Code
	app    *App
	ticket *Ticket
}

// A match is the way in which a signature was made.
type match struct {
	used
	url, nonce, timestamp variant
	form                  form
}

// The signature is 40 hex digits; SHA-1 in base64 has 28 characters.
var (
	hexSum   = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	digits   = regexp.MustCompile(`^[0-9]+$`)
	nothings = []string{"undefined", "null", "NaN", "[object Object]", "[object Promise]"}
)

// nothing reports whether a text is what a page makes of a value it does not have.
func nothing(s string) bool { return slices.Contains(nothings, strings.TrimSpace(s)) }

// hasTriple looks at the three values themselves, and reports whether the
// signature can be made again from them.
func (e *explainer) hasTriple() bool {
	q := e.q
	if q.Signature == "" && q.NonceStr == "" && q.Timestamp == "" {
		return false
	}
	whole := true
	for _, f := range []field{{"timestamp", q.Timestamp}, {"nonceStr", q.NonceStr}, {"signature", q.Signature}} {
		if nothing(f.value) {
			whole = false
			e.find(TripleIncomplete, Error, args{"field": f.name}, fact(f.name, "", f.value))
		} else if f.value == "" { // or it was not told
			whole = false
			e.find(TripleIncomplete, Warning, args{"field": f.name}, fact(f.name, "", ""))
		}
	}
	if !whole {
		return false
	}
	if !digits.MatchString(q.Timestamp) {
		e.find(TimestampNotSeconds, Error, nil, fact("timestamp", strconv.FormatInt(e.k.Now.Unix(), 10), q.Timestamp))
	} else if len(q.Timestamp) >= 12 {
		e.find(TimestampMilliseconds, Error, nil, compare("timestamp", q.Timestamp[:len(q.Timestamp)-3], q.Timestamp))
	}
	if !hexSum.MatchString(q.Signature) {
		e.find(SignatureNotSHA1, Error, args{"length": strconv.Itoa(len(q.Signature))}, fact("signature", "40 hex digits", q.Signature))
		return false
	}
	if lower := strings.ToLower(q.Signature); lower != q.Signature {
		e.find(SignatureUpperCase, Error, nil, compare("signature", lower, q.Signature))
	}
	return true
}

// timestamps are what can stand for the time in the string.
func timestamps(t string) []variant {
	var v variants
	switch {
	case !digits.MatchString(t):
		v.add(TimestampNotSeconds, t)
		if whole, _, ok := strings.Cut(t, "."); ok {
			v.add(TimestampNotSeconds, whole)
		}
	case len(t) >= 12:
		v.add(TimestampMilliseconds, t, t[:len(t)-3])
	default:
		v.add("", t)
		v.add(TimestampMilliseconds, t+"000")
	}
	return v.list
}

// nonces are what can stand for the nonce in the string.
func nonces(n string) []variant {
	var v variants
	v.add("", n)
	v.add(NonceDiffers, strings.TrimSpace(n), strings.ToLower(n), strings.ToUpper(n), "", "undefined")
	return v.list
}

// tickets are what can have signed, the right ones first.
func (e *explainer) tickets() []used {
	var list []used
	add := func(code Code, a *App, want func(Ticket) bool) {
		for i := range a.Tickets {
			if t := &a.Tickets[i]; want(*t) {
				list = append(list, used{code, a, t})
			}
		}
	}
	own := e.k.App
	if own != nil {
		right := func(t Ticket) bool {
			return t.Kind != AccessToken && (e.q.Kind == "" || t.Kind == TicketKind(e.q.Kind))
		}
		add("", own, func(t Ticket) bool { return right(t) && t.Live })
		add(TicketKindsSwapped, own, func(t Ticket) bool { return t.Kind != AccessToken && !right(t) })
		add(StaleTicket, own, func(t Ticket) bool { return right(t) && !t.Live })
		add(AccessTokenUsed, own, func(t Ticket) bool { return t.Kind == AccessToken })
	}
	for i := range e.k.Others {
		a := &e.k.Others[i]
		code := OtherCorpTicket
		if own != nil && own.sameCorp(a) {
			code = OtherAppTicket
		}
		if own == nil {
			code = "" // nobody knows whose it should have been
		}
		add(code, a, func(t Ticket) bool { return t.Kind != AccessToken })
		add(AccessTokenUsed, a, func(t Ticket) bool { return t.Kind == AccessToken })
	}
	return list
}

// maxPaired bounds how many tickets are tried together with a mistake of another kind.
const maxPaired = 24

// search makes the signature again: first as it should have been, then with one
// mistake, then with two.
func (e *explainer) search(urls []variant) *match {
	tickets := e.tickets()
	want := strings.ToLower(e.q.Signature)
	times, ns := timestamps(e.q.Timestamp), nonces(e.q.NonceStr)
	for mistakes := range 3 {
		for i, t := range tickets {
			left := mistakes - one(t.code)
			if left < 0 || left > 0 && i >= maxPaired {
				continue
			}
			value := t.ticket.Value.Reveal()
			for _, u := range urls {
				left := left - one(u.code)
				for _, f := range forms {
					left := left - one(f.code)
					if left < 0 {
						continue
					}
					if m, ok := tryRest(left, want, value, u, f, times, ns); ok {
						m.used = t
						return &m
					}
				}
			}
		}
	}
	return nil
}

// tryRest tries the timestamps and nonces that make exactly as many mistakes as are left.
func tryRest(left int, want, ticket string, u variant, f form, times, nonces []variant) (match, bool) {
	for _, ts := range times {
		for _, n := range nonces {
			if left == one(ts.code)+one(n.code) && digest(f.write(ticket, n.text, ts.text, u.text)) == want {
				return match{url: u, nonce: n, timestamp: ts, form: f}, true
			}
		}
	}
	return match{}, false
}

// one counts a mistake.
func one(c Code) int {
	if c == "" {
		return 0
	}
	return 1
}

// explainTriple makes the signature again and says how it was made.
func (e *explainer) explainTriple() {
	if !e.hasTriple() {
		return
	}
	var urls []variant
	if e.right != nil {
		urls = urlVariants(e.right, e.current, e.entry, e.trusts())
	} else {
		urls = []variant{{"", e.current.said}, {FragmentKept, e.current.said + e.current.fragment}}
	}
	m := e.search(urls)
	if m == nil {
		e.unexplained()
		return
	}
	e.match = m
	e.SignedBy = &SignedBy{TenantID: m.app.ID, SuiteID: string(m.app.SuiteID), CorpID: string(m.app.CorpID), Kind: m.ticket.Kind, Live: m.ticket.Live}
	e.tellMatch(m)
}

// tellMatch finds each mistake of the way in which a signature was made.
func (e *explainer) tellMatch(m *match) {
	right, said := urlOf(e.right, e.current), m.url.text
	who := args{"suite_id": string(m.app.SuiteID), "corp_id": string(m.app.CorpID), "kind": string(m.ticket.Kind), "expected": string(e.q.Kind)}
	if m.code != "" {
		e.find(m.code, Error, who, fact("signed_by", e.expectedSigner(), m.name()))
	}
	if m.url.code != "" {
		e.find(m.url.code, Error, args{"position": strconv.Itoa(differ(right, said))}, compare("url", right, said))
	}
	if c := m.timestamp.code; c != "" {
		e.find(c, Error, nil)
	}
	if m.nonce.code != "" {
		e.find(NonceDiffers, Error, nil, compare("nonceStr", e.q.NonceStr, m.nonce.text))
	}
	if m.form.code != "" {
		canonical := forms[0].write(mask, m.nonce.text, m.timestamp.text, said)
		e.find(m.form.code, Error, nil, compare("string", canonical, m.form.write(mask, m.nonce.text, m.timestamp.text, said)))
	}
	if m.code == "" {
		e.tellTimes(m)
	}
}

func urlOf(right, current *page) string {
	if right != nil {
		return right.url
	}
	return current.said
}

// name says which ticket it is, without its value.
func (u *used) name() string {
	return string(u.app.SuiteID) + "/" + string(u.app.CorpID) + "/" + string(u.ticket.Kind)
}

func (e *explainer) expectedSigner() string {
	kind := string(e.q.Kind)
	if kind == "" {
		kind = string(ConfigTicket)
	}
	if e.k.App == nil {
		return kind
	}
	return string(e.k.App.SuiteID) + "/" + string(e.k.App.CorpID) + "/" + kind
}

// skew is how far clocks may differ without being worth a word. How far the
// platform lets them is not published.
const skew = 5 * time.Minute

// tellTimes looks at the time of a signature that the right ticket made.
func (e *explainer) tellTimes(m *match) {
	at, ok := seconds(m.timestamp.text)
	if !ok {
		return
	}
	if m.ticket.Live && !m.ticket.FetchedAt.IsZero() && at.Before(m.ticket.FetchedAt.Add(-skew)) {
		// That ticket did not exist then: the clock that made the timestamp is behind.
		e.find(ClockSkew, Warning, args{"span": rough(m.ticket.FetchedAt.Sub(at)), "way": "behind", "way_zh": "慢"},
			fact("timestamp", m.ticket.FetchedAt.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339)))
	}
}

// seconds reads a timestamp of Unix seconds.
func seconds(text string) (time.Time, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 99_999_999_999 {
		return time.Time{}, false
	}
	return time.Unix(n, 0), true
}

// rough is a span as people say it.
func rough(d time.Duration) string { return d.Round(time.Second).String() }

// unexplained is a signature that nothing known makes.
func (e *explainer) unexplained() {
	if at, ok := seconds(e.q.Timestamp); ok && e.k.App != nil && e.q.Kind != "" {
		if t := e.k.App.live(TicketKind(e.q.Kind)); t != nil && at.Before(t.FetchedAt.Add(-skew)) {
			e.find(StaleTicket, Warning, args{"suite_id": string(e.k.App.SuiteID), "corp_id": string(e.k.App.CorpID), "kind": string(t.Kind), "expected": string(t.Kind)},
				fact("timestamp", t.FetchedAt.UTC().Format(time.RFC3339), at.UTC().Format(time.RFC3339)))
		}
	}
	e.find(SignatureUnexplained, Warning, nil)
}
