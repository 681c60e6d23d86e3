package pagereport

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/google/uuid"

	"suitesign/reach"
	"suitesign/signing"
	"suitesign/signing/explain"
	"suitesign/signing/explain/known"
	"suitesign/tenant"
	"suitesign/ticket"
)

// ErrBusy is returned when so many questions are being looked into that another
// one would take from signing.
var ErrBusy = errors.New("too many questions about pages at once")

// Client is what showed the page.
type Client string

// The clients that are told apart.
const (
	WeCom  Client = "wecom"
	WeChat Client = "wechat"
	Other  Client = "other"
)

// A Report is what a page tells of one failed registration.
type Report struct {
	Kind                           explain.Kind
	URL                            string
	SuiteID, CorpID, AgentID       string // as for signing; "" is not named
	Timestamp, NonceStr, Signature string
	Error                          string
	Errcode                        int
	Client                         Client
}

// Action is what was done about a report.
type Action string

// The actions.
const (
	Refetch Action = "refetch" // the ticket is being fetched again
	Retry   Action = "retry"   // a newer ticket is here: the page has to ask for a new signature
	Nothing Action = "none"
)

// An Answer is what the page gets.
type Answer struct {
	Cause      explain.Code
	Action     Action
	RetryAfter time.Duration // to register again; 0: that would not help
	En, Zh     string        // what to do
}

// How long a page waits before it registers again. The next heartbeat fetches and
// tells all replicas; what an ordinary refresh brought they read within two seconds.
const (
	refetchTakes = 3 * time.Second
	rereadTakes  = 2 * time.Second
)

// Refetcher has a ticket fetched again; *ticket.Refresher does.
type Refetcher interface {
	Refetch(ctx context.Context, tenantID uuid.UUID, k ticket.Kind) (ticket.Refetching, error)
}

// A Desk takes reports.
type Desk struct {
	Pool    reach.DB
	Known   *known.Reader
	Tickets Refetcher

	Observe func(kind, cause, action string) // told of every report; nil: nobody
	Log     *slog.Logger                     // slog.Default unless set

	once  sync.Once
	slots chan struct{}
}

// patience is how long a question waits for others to be looked into.
const patience = 500 * time.Millisecond

// Explain answers a question of anybody: of the tenant that the page means alone,
// and without what is not for everybody.
func (d *Desk) Explain(ctx context.Context, q explain.Question) (explain.Report, error) {
	k, err := d.Known.Own(ctx, q)
	if err != nil {
		return explain.Report{}, err
	}
	rep, err := d.explain(ctx, q, k)
	return rep.Public(), err
}

// explain makes a signature again in all ways that may have made it. That is work,
// so only so much of it is done at a time.
func (d *Desk) explain(ctx context.Context, q explain.Question, k explain.Known) (explain.Report, error) {
	d.once.Do(func() { d.slots = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) })
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-wait.C:
		return explain.Report{}, ErrBusy
	case <-ctx.Done():
		return explain.Report{}, ctx.Err()
	}
	return explain.Explain(q, k), nil
}

// Take takes a report, does what can be done, and says what the page should do.
// What is no page of a known tenant is refused as by signing.
func (d *Desk) Take(ctx context.Context, r Report) (Answer, error) {
	q := explain.Question{
		URL: r.URL, Kind: r.Kind, SuiteID: r.SuiteID, CorpID: r.CorpID, AgentID: r.AgentID,
		Timestamp: r.Timestamp, NonceStr: r.NonceStr, Signature: r.Signature, Error: r.Error, Errcode: r.Errcode,
	}
	if _, err := tenant.PageOf(r.URL); err != nil {
		return Answer{}, err
	}
	k, err := d.Known.Own(ctx, q)
	if err != nil {
		return Answer{}, err
	}
	if k.App == nil {
		return Answer{}, refusal(k.Lookup)
	}
	rep, err := d.explain(ctx, q, k)
	if err != nil {
		return Answer{}, err
	}
	a := judge(rep)
	if a.Action == Refetch {
		if err := d.refetch(ctx, k.App.ID, r.Kind, &a); err != nil {
			return Answer{}, err
		}
	}
	if d.Observe != nil {
		d.Observe(string(r.Kind), string(a.Cause), string(a.Action))
	}
	if rep.SignedBy == nil { // not to be believed
		return a, nil
	}
	host := ""
	if page, err := tenant.PageOf(rep.Page); err == nil && tenant.Trusts(k.App.Trusts, page) {
		host = page.Host
	}
	return a, d.note(ctx, k.App.ID, host, r, a)
}

// refusal is the error of signing for a page that means no tenant.
func refusal(l explain.Lookup) error {
	switch l {
	case explain.SeveralFit:
		return signing.ErrTenantAmbiguous
	case explain.NobodyTrusts:
		return signing.ErrUntrusted
	default:
		return signing.ErrTenantNotFound
	}
}

// judge says what a report means and what may be done about it.
func judge(rep explain.Report) Answer {
	a := Answer{Action: Nothing}
	if public := rep.Public(); len(public.Findings) > 0 {
		first := public.Findings[0]
		a.Cause, a.En, a.Zh = first.Code, first.En.Do, first.Zh.Do
	}
	switch {
	case rep.SignedBy == nil:
	case a.Cause == explain.StaleTicket:
		a.Action, a.RetryAfter = Retry, rereadTakes
	case rep.Refused():
		a.Action = Refetch
	}
	return a
}

// kinds are the tickets of registrations.
var kinds = map[explain.Kind]ticket.Kind{explain.Config: ticket.JSAPITicket, explain.Agent: ticket.AgentConfig}

// refetch has the refused ticket fetched again, unless that was done lately: then
// the page need not register again, for it would be refused again.
func (d *Desk) refetch(ctx context.Context, id uuid.UUID, k explain.Kind, a *Answer) error {
	what, err := d.Tickets.Refetch(ctx, id, kinds[k])
	if err != nil {
		return fmt.Errorf("refetch: %w", err)
	}
	switch what {
	case ticket.RefetchAsked:
		d.log().WarnContext(ctx, "pages report that WeCom refuses a live ticket; it is fetched again", "tenant_id", id, "kind", string(kinds[k]))
	case ticket.RefetchUnderWay:
	default: // it was fetched again lately, and is refused all the same
		a.Action = Nothing
		return nil
	}
	a.Cause, a.RetryAfter = explain.TicketRefused, refetchTakes
	a.En, a.Zh = "The ticket is being fetched again; register again after retry_after seconds.", "正在重新获取 ticket，请在 retry_after 秒后重新注册。"
	return nil
}

func (d *Desk) log() *slog.Logger {
	if d.Log != nil {
		return d.Log
	}
	return slog.Default()
}
