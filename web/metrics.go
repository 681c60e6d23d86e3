package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"suitesign/ticket"
	"suitesign/wecom"
)

// Metrics are what the service tells about itself, in a registry of its own. No
// label ever holds a corp, a tenant, a page or anything else a caller chooses:
// every label has a bounded set of values.
type Metrics struct {
	Registry *prometheus.Registry
	totals   *prometheus.Registry // what Totals reads, and nothing else

	requests   *prometheus.CounterVec   // listener, method, route, status
	durations  *prometheus.HistogramVec // listener, method, route
	signatures *prometheus.CounterVec   // kind, outcome
	callbacks  *prometheus.CounterVec   // door, outcome
	reports    *prometheus.CounterVec   // kind, cause, action
	refreshes  *prometheus.CounterVec   // outcome
	fetches    *prometheus.CounterVec   // kind, outcome, class
	late       prometheus.Histogram     // seconds
	calls      *prometheus.CounterVec   // api, code
	callTimes  *prometheus.HistogramVec // api
	webhooks   *prometheus.HistogramVec // outcome
}

// requestBuckets reach from a signature out of memory to the longest wait for the platform.
var requestBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// NewMetrics makes the metrics and registers them, the Go runtime's and the process's.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(), totals: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_http_requests_total", Help: "Requests answered, by listener, method, route template and status.",
		}, []string{"listener", "method", "route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "suitesign_http_request_duration_seconds", Help: "Time from the request's header to the end of its answer.",
			Buckets: requestBuckets,
		}, []string{"listener", "method", "route"}),
		signatures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_signatures_total", Help: "Signatures asked for, by kind and outcome (ok or the problem's code).",
		}, []string{"kind", "outcome"}),
		callbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_callbacks_total", Help: "Callbacks of the platform, by door and outcome.",
		}, []string{"door", "outcome"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_page_reports_total", Help: "Failed registrations that pages reported, by kind, cause (a code of explain) and what was done.",
		}, []string{"kind", "cause", "action"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_refreshes_total", Help: "Tenants refreshed by this replica, by outcome.",
		}, []string{"outcome"}),
		fetches: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_credential_fetches_total", Help: "Credentials fetched, by kind, outcome and class of the failure.",
		}, []string{"kind", "outcome", "class"}),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "suitesign_refresh_lateness_seconds", Help: "Time between a tenant's being due and its refresh.",
			Buckets: []float64{.1, .5, 1, 2, 5, 15, 60, 300, 900, 1800},
		}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "suitesign_wecom_calls_total", Help: "Calls to the platform, by API and errcode.",
		}, []string{"api", "code"}),
		callTimes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "suitesign_wecom_call_duration_seconds", Help: "Time of a call to the platform, by API.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 4},
		}, []string{"api"}),
		webhooks: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "suitesign_webhook_attempt_duration_seconds", Help: "Time of a call to a webhook, by outcome.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"outcome"}),
	}
	m.totals.MustRegister(m.signatures, m.refreshes)
	m.Registry.MustRegister(m.requests, m.durations, m.signatures, m.callbacks, m.reports, m.refreshes, m.fetches, m.late, m.calls, m.callTimes, m.webhooks,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
	return m
}

// ObserveCall counts one call to the platform; it fits wecom.Client.Observe.
func (m *Metrics) ObserveCall(api string, code int, d time.Duration) {
	m.calls.WithLabelValues(api, strconv.Itoa(code)).Inc()
	m.callTimes.WithLabelValues(api).Observe(d.Seconds())
}

// ObserveRefreshes counts refreshed tenants by outcome: a few words, never an id.
func (m *Metrics) ObserveRefreshes(outcome string, n int) {
	m.refreshes.WithLabelValues(outcome).Add(float64(n))
}

// ObserveFetch counts one credential; it fits ticket.Metrics.Fetched.
func (m *Metrics) ObserveFetch(kind ticket.Kind, outcome ticket.Outcome, class wecom.Class) {
	failure := ""
	if outcome == ticket.Failed {
		failure = class.String()
	}
	m.fetches.WithLabelValues(string(kind), string(outcome), failure).Inc()
}

// ObserveLate tells how long after it was due a tenant was claimed; it fits ticket.Metrics.Late.
func (m *Metrics) ObserveLate(by time.Duration) { m.late.Observe(by.Seconds()) }

// ObserveWebhook counts one call to a webhook by its outcome: delivered, retry,
// failed or disabled.
func (m *Metrics) ObserveWebhook(outcome string, d time.Duration) {
	m.webhooks.WithLabelValues(outcome).Observe(d.Seconds())
}

// ObserveCallback counts one callback of the platform by its outcome: a word, never an id.
func (m *Metrics) ObserveCallback(door, outcome string) {
	m.callbacks.WithLabelValues(door, outcome).Inc()
}

// ObservePageReport counts one report of a page; it fits pagereport.Desk.Observe.
func (m *Metrics) ObservePageReport(kind, cause, action string) {
	m.reports.WithLabelValues(kind, cause, action).Inc()
}

// signatureCounters counts the signatures of one kind.
type signatureCounters struct {
	ok      prometheus.Counter
	outcome *prometheus.CounterVec
}

func (m *Metrics) signatureCounters(kind string) *signatureCounters {
	outcome := m.signatures.MustCurryWith(prometheus.Labels{"kind": kind})
	return &signatureCounters{ok: outcome.WithLabelValues("ok"), outcome: outcome}
}

// refused counts a refusal under its problem's code.
func (c *signatureCounters) refused(code string) { c.outcome.WithLabelValues(code).Inc() }

// handler serves the registry in the text format.
func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{Registry: m.Registry})
}
