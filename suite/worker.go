package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"suitesign/wecom"
)

// Worker does what is due: exchanges, pulls of agents, callbacks to look at again,
// suite_access_tokens close to their end, housekeeping. Any number of them work on
// one database.
type Worker struct {
	Store       *Store
	Exchanger   *Exchanger
	Concurrency int              // how much is done at once; 0: 16
	Now         func() time.Time // time.Now unless set; spaces the housekeeping
	Log         *slog.Logger     // nil: slog.Default()

	mu      sync.Mutex
	cleaned time.Time
}

// Report is what a RunOnce did.
type Report struct {
	Exchanges int // attempts
	Pulls     int // of agents
	Events    int // callbacks looked at again
	Renewals  int // of suite_access_tokens
	Failed    int // of all these; each is in its row and in the log
	Late      int // suite_tickets whose lateness was noted
	Removed   Removed
}

const (
	defaultConcurrency = 16
	roundFor           = 30 * time.Second       // nothing more is claimed after that; the next beat goes on
	claimEvery         = 250 * time.Millisecond // while something slow is under way
	cleanEvery         = time.Minute
)

// work is one claimed thing.
type work struct {
	what  string // for the log
	id    string
	count *int // of the report
	do    func(context.Context) error
}

// RunOnce does what is due until nothing is, or half a minute is over. One
// failure never stops the others: it is written in its row, with the time of the
// next try. The error is a broken database. When ctx ends nothing more is claimed.
func (w *Worker) RunOnce(ctx context.Context) (Report, error) {
	var report Report
	limit := w.Concurrency
	if limit <= 0 {
		limit = defaultConcurrency
	}
	results := make(chan error, limit)
	running, began := 0, w.now()
	queue, fault := w.claimRenewals(ctx, &report) // not leased yet: they may wait for a slot
	for nothing := false; ; {
		claiming := fault == nil && ctx.Err() == nil && w.now().Sub(began) < roundFor
		for claiming && running < limit && (!nothing || len(queue) > 0) {
			if len(queue) == 0 {
				queue, fault = w.claim(ctx, &report, limit-running)
				nothing = len(queue) == 0
				continue
			}
			x := queue[0]
			queue = queue[1:]
			running++
			*x.count++
			go func() { results <- w.guard(ctx, x) }()
		}
		if running == 0 {
			break
		}
		select {
		case err := <-results:
			running--
			if err != nil {
				report.Failed++
			}
			nothing = nothing && running > 0 // look once more before leaving
		case <-time.After(claimEvery):
			nothing = false
		}
	}
	if fault == nil && ctx.Err() == nil && w.timeToClean() {
		report.Late, fault = w.Store.tellLateTickets(ctx)
		if fault == nil {
			report.Removed, fault = w.Store.housekeeping(ctx)
		}
	}
	return report, fault
}

// claim leases up to limit things, no more than there are free slots: a lease
// runs from the moment it is taken.
func (w *Worker) claim(ctx context.Context, report *Report, limit int) ([]work, error) {
	var list []work
	exchanges, err := w.Exchanger.claim(ctx, nil, limit)
	for _, x := range exchanges {
		list = append(list, work{"exchange", x.ID.String(), &report.Exchanges, func(ctx context.Context) error { return w.Exchanger.run(ctx, x) }})
	}
	if err != nil || len(list) >= limit {
		return list, err
	}
	events, err := w.Store.claimEvents(ctx, limit-len(list))
	for _, e := range events {
		list = append(list, work{"event", e.event.String(), &report.Events, func(ctx context.Context) error { return w.Exchanger.reconsider(ctx, e) }})
	}
	if err != nil || len(list) >= limit {
		return list, err
	}
	pulls, err := w.Store.claimPulls(ctx, nil, limit-len(list))
	for _, p := range pulls {
		list = append(list, work{"agents", p.TenantID.String(), &report.Pulls, func(ctx context.Context) error { return w.Exchanger.pull(ctx, p) }})
	}
	return list, err
}

func (w *Worker) claimRenewals(ctx context.Context, report *Report) ([]work, error) {
	ids, err := w.Store.tokensToRenew(ctx)
	list := make([]work, len(ids))
	for i, id := range ids {
		list[i] = work{"suite token", string(id), &report.Renewals, func(ctx context.Context) error {
			return w.Exchanger.Tokens.renew(ctx, id)
		}}
	}
	return list, err
}

// guard does one thing. A panic is that thing's failure; its lease ends by itself.
func (w *Worker) guard(ctx context.Context, x work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			w.log().ErrorContext(ctx, "worker panicked", "what", x.what, "id", x.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	err = x.do(ctx)
	if errors.Is(err, errLeaseLost) {
		return nil // somebody else has it
	}
	if err != nil {
		attrs := []any{"what", x.what, "id", x.id, "error", err}
		var refused *wecom.Error
		if errors.As(err, &refused) {
			attrs = append(attrs, "errcode", refused.Code)
		}
		w.log().WarnContext(ctx, "attempt failed", attrs...)
	}
	return err
}

// timeToClean reports, once a minute, that it is.
func (w *Worker) timeToClean() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if !w.cleaned.IsZero() && now.Sub(w.cleaned) < cleanEvery {
		return false
	}
	w.cleaned = now
	return true
}

func (w *Worker) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

func (w *Worker) log() *slog.Logger {
	if w.Log != nil {
		return w.Log
	}
	return slog.Default()
}
