package main

import (
	"context"

	"suitesign/ticket"
	"suitesign/web"
	"suitesign/web/stats"
)

// wireStats makes who counts, and what is asked.
func (a *app) wireStats(h *house, refresher *ticket.Refresher) {
	h.meter = &stats.Meter{Pool: a.pools.working, Totals: a.metrics.Totals}
	h.roller = &stats.Roller{Pool: a.pools.working, Budgets: func(ctx context.Context) (stats.Budgets, error) {
		u, err := refresher.BudgetUse(ctx)
		return stats.Budgets{IPMinute: u.IPMinute, IPHour: u.IPHour, CorpsNearLimit: u.Corps, AppsNearLimit: u.Apps}, err
	}}
	h.stats = web.Stats{Pool: a.pools.serving, Backlog: refresher.Backlog}
}
