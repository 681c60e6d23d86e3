package web

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/ticket"
	"suitesign/web/api"
	"suitesign/web/stats"
	"suitesign/wecom"
)

// Stats is what GET /v1/stats stands on.
type Stats struct {
	Pool    *pgxpool.Pool
	Backlog func(ctx context.Context) (ticket.Backlog, error) // *ticket.Refresher's
}

// defaultMinutes is the contract's.
const defaultMinutes = 60

// GetStats answers GET /v1/stats.
func (a *admin) GetStats(ctx context.Context, r api.GetStatsRequestObject) (api.GetStatsResponseObject, error) {
	ctx = requestContext(ctx)
	suiteID := deref(r.Params.SuiteID)
	if suiteID != "" {
		if _, err := a.Suites.Get(ctx, wecom.SuiteID(suiteID)); err != nil {
			return nil, ofSuite(err)
		}
	}
	counted, at, err := stats.Latest(ctx, a.Stats.Pool, suiteID)
	if err != nil {
		return nil, err
	}
	behind, err := a.Stats.Backlog(ctx)
	if err != nil {
		return nil, err
	}
	n := defaultMinutes
	if r.Params.Minutes != nil {
		n = int(*r.Params.Minutes)
	}
	minutes, err := stats.Minutes(ctx, a.Stats.Pool, n)
	if err != nil {
		return nil, err
	}
	return api.GetStats200JSONResponse{Body: api.Stats{
		AsOf:        timeOrNull(&at),
		SuiteID:     orNull(suiteID, suiteID != ""),
		Tenants:     convert(counted.Tenants, showTenantCount),
		Credentials: convert(counted.Credentials, showCredentialCount),
		Callbacks: convert(counted.Callbacks, func(c stats.CallbackCount) api.StatsCallbacks {
			return api.StatsCallbacks{InfoType: c.InfoType, Count: c.Count}
		}),
		Budgets: api.StatsBudgets{
			IPMinute: counted.Budgets.IPMinute, IPHour: counted.Budgets.IPHour,
			CorpsNearLimit: counted.Budgets.CorpsNearLimit, AppsNearLimit: counted.Budgets.AppsNearLimit,
		},
		Schedule: api.StatsSchedule{
			Due: int64(behind.Due), Idle: int64(behind.Idle), PerSecond: behind.PerSecond,
			LateSeconds: int64(behind.Late / time.Second), EtaSeconds: int64(behind.ETA / time.Second),
		},
		Minutes: convert(minutes, showMinute),
	}}, nil
}

func showTenantCount(c stats.TenantCount) api.StatsTenants {
	return api.StatsTenants{Status: api.TenantStatus(c.Status), Health: api.TenantHealth(c.Health), Count: c.Count}
}

func showCredentialCount(c stats.CredentialCount) api.StatsCredentials {
	return api.StatsCredentials{Kind: api.StatsCredentialsKind(c.Kind), EndsWithin: api.StatsCredentialsEndsWithin(c.Bucket), Count: c.Count}
}

func showMinute(m stats.Minute) api.StatsMinute {
	return api.StatsMinute{
		At: m.At.UTC(), SignaturesConfig: m.Counts[signedConfig], SignaturesAgent: m.Counts[signedAgent], SignaturesBoth: m.Counts[signedBoth], SignaturesRefused: m.Counts[signedRefused],
		RefreshesOk: m.Counts[refreshed+"ok"], RefreshesFailed: m.Counts[refreshed+"failed"], RefreshesParked: m.Counts[refreshed+"parked"],
	}
}

// The names under which minutes are counted.
const (
	signedConfig  = "signed.config"
	signedAgent   = "signed.agent"
	signedBoth    = "signed.both"
	signedRefused = "signed.refused"
	refreshed     = "refreshed." // and the outcome
)

// Totals are what this replica has signed and refreshed since it began, by the names of
// the minutes' counts; it fits stats.Meter.
func (m *Metrics) Totals() map[string]float64 {
	out := map[string]float64{}
	families, err := m.totals.Gather()
	if err != nil {
		return out // counters cannot fail to be read; if they do, they are read the next time
	}
	for _, f := range families {
		for _, sample := range f.GetMetric() {
			label := map[string]string{}
			for _, l := range sample.GetLabel() {
				label[l.GetName()] = l.GetValue()
			}
			name := refreshed + label["outcome"]
			switch {
			case f.GetName() != "suitesign_signatures_total":
			case label["outcome"] != "ok":
				name = signedRefused
			case label["kind"] == "agent":
				name = signedAgent
			case label["kind"] == "both":
				name = signedBoth
			default:
				name = signedConfig
			}
			out[name] += sample.GetCounter().GetValue()
		}
	}
	return out
}
