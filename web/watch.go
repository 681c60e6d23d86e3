package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"suitesign/signing"
	"suitesign/suite"
	"suitesign/wecom"
)

// SuiteStatuses tells how the suites' own credentials fare; *suite.Store does.
type SuiteStatuses interface {
	Statuses(ctx context.Context, ids ...wecom.SuiteID) ([]suite.Status, error)
}

// How many suites a warning, or the metrics, name at most.
const (
	maxSuitesWarned  = 10
	maxSuitesMetered = 100
)

// suiteWords say what an operator does about a suite's warning.
var suiteWords = map[suite.Warning]string{
	suite.WarnTicketMissing: "no suite_ticket came yet; press refresh in the provider console",
	suite.WarnTicketOld:     "a push of the suite_ticket is overdue; see whether WeCom reaches the command callback",
	suite.WarnTicketExpired: "the suite_ticket is too old to be used; see whether WeCom reaches the command callback",
	suite.WarnTicketRefused: "WeCom refused the suite_ticket; the next push is waited for",
	suite.WarnSecretRefused: "WeCom refused the suite_secret; store the right one",
	suite.WarnIPRefused:     "WeCom refused our IP; add it to the provider's list",
	suite.WarnTokenFailing:  "the suite_access_token cannot be fetched; it is tried again by itself",
}

// WarnOfSuites tells /readyz which suites need an operator.
func WarnOfSuites(s SuiteStatuses) func(context.Context) []string {
	return func(ctx context.Context) []string {
		statuses, err := s.Statuses(ctx)
		if err != nil {
			return nil // that the database is away is told by itself
		}
		var out []string
		more := 0
		for _, st := range statuses {
			if len(st.Warnings) == 0 {
				continue
			}
			if len(out) == maxSuitesWarned {
				more++
				continue
			}
			first := st.Warnings[0]
			out = append(out, fmt.Sprintf("suite %s: %s", st.SuiteID, cmp.Or(suiteWords[first], string(first))))
		}
		if more > 0 {
			out = append(out, fmt.Sprintf("%d more suites need an operator", more))
		}
		return out
	}
}

// Querier is the database; *pgxpool.Pool is one.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// WarnWithoutStandby tells /readyz when an acknowledged callback could be lost:
// a primary that waits for no synchronous standby loses, when it dies, what it
// had committed and not yet sent. And it tells when the wait has no end, for then
// nothing can be acknowledged at all.
func WarnWithoutStandby(db Querier) func(context.Context) []string {
	return func(ctx context.Context) []string {
		var safe, hangs bool
		// What waits is asked of our own sessions: those any role may see, and the standbys' state it may not.
		const q = `SELECT current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') NOT IN ('off', 'local'),
	EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = session_user AND state_change < clock_timestamp() - interval '500 milliseconds')`
		if err := db.QueryRow(ctx, q).Scan(&safe, &hangs); err != nil {
			return nil
		}
		switch {
		case hangs:
			return []string{"PostgreSQL waits for a synchronous standby that does not answer; callbacks are not acknowledged until it does"}
		case !safe:
			return []string{"PostgreSQL waits for no synchronous standby; a failover can lose callbacks that were acknowledged"}
		}
		return nil
	}
}

// WatchSuites adds the age of each suite_ticket to the metrics, and how many
// suites have which warning. A suite is not a corp: there are few of them, and no
// caller makes one.
func (m *Metrics) WatchSuites(s SuiteStatuses) {
	m.Registry.MustRegister(&suiteCollector{
		statuses: s,
		age:      prometheus.NewDesc("suitesign_suite_ticket_age_seconds", "Time since the last suite_ticket came.", []string{"suite_id"}, nil),
		warned:   prometheus.NewDesc("suitesign_suites_with_warning", "Suites that need an operator, by warning.", []string{"warning"}, nil),
	})
}

type suiteCollector struct {
	statuses    SuiteStatuses
	age, warned *prometheus.Desc
}

func (c *suiteCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.age
	ch <- c.warned
}

func (c *suiteCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	statuses, err := c.statuses.Statuses(ctx)
	if err != nil {
		return // absent, not zero: nobody knows
	}
	warned := map[suite.Warning]int{}
	for w := range suiteWords {
		warned[w] = 0
	}
	for _, st := range statuses {
		for _, w := range st.Warnings {
			warned[w]++
		}
	}
	for w, n := range warned {
		ch <- prometheus.MustNewConstMetric(c.warned, prometheus.GaugeValue, float64(n), string(w))
	}
	statuses = slices.DeleteFunc(statuses, func(st suite.Status) bool { return st.TicketReceivedAt == nil })
	slices.SortFunc(statuses, func(a, b suite.Status) int { return cmp.Compare(b.TicketAge, a.TicketAge) })
	for _, st := range statuses[:min(len(statuses), maxSuitesMetered)] {
		ch <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, st.TicketAge.Seconds(), string(st.SuiteID))
	}
}

// WatchPool adds a database pool's connections to the metrics under its name.
func (m *Metrics) WatchPool(name string, stat func() *pgxpool.Stat) {
	gauge := func(state string, value func(*pgxpool.Stat) int32) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "suitesign_db_connections", Help: "Connections of a database pool, by state.",
			ConstLabels: prometheus.Labels{"pool": name, "state": state},
		}, func() float64 { return float64(value(stat())) })
	}
	m.Registry.MustRegister(
		gauge("used", (*pgxpool.Stat).AcquiredConns),
		gauge("idle", (*pgxpool.Stat).IdleConns),
		gauge("max", (*pgxpool.Stat).MaxConns),
	)
}

// WatchDirectory adds what the signing directory holds to the metrics.
func (m *Metrics) WatchDirectory(stats func() signing.Stats) {
	gauge := func(name, help string, value func(signing.Stats) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value(stats())) })
	}
	m.Registry.MustRegister(
		gauge("suitesign_directory_tenants", "Tenants held in memory.", func(s signing.Stats) int { return s.Tenants }),
		gauge("suitesign_directory_leads", "Ways held in memory that lead to a tenant, or to none.", func(s signing.Stats) int { return s.Leads }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "suitesign_directory_queries_total", Help: "Reads of the database for the directory.",
		}, func() float64 { return float64(stats().Queries) }),
	)
}
