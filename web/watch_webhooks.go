package web

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"suitesign/web/webhook"
)

// WebhookStatus tells how webhooks fare; *webhook.Store does.
type WebhookStatus interface {
	Status(ctx context.Context) (webhook.Status, error)
}

// behindAfter is how late deliveries are when somebody should look: a beat takes a
// second, and a webhook that fails waits by itself.
const behindAfter = 5 * time.Minute

// WarnOfWebhooks tells /readyz of webhooks that were ended by the service, and of
// deliveries that nobody makes.
func WarnOfWebhooks(s WebhookStatus) func(context.Context) []string {
	return func(ctx context.Context) []string {
		status, err := s.Status(ctx)
		if err != nil {
			return nil // that the database is away is told by itself
		}
		var out []string
		if status.Ended > 0 {
			out = append(out, fmt.Sprintf("webhooks that were disabled because they failed for five days or are gone: %d; see GET /v1/webhooks", status.Ended))
		}
		if status.Behind > behindAfter {
			out = append(out, fmt.Sprintf("the oldest webhook delivery has been due for %s", status.Behind.Truncate(time.Second)))
		}
		return out
	}
}

// WatchWebhooks adds how webhooks fare to the metrics.
func (m *Metrics) WatchWebhooks(s WebhookStatus) {
	m.Registry.MustRegister(&webhookCollector{
		status: s,
		count:  prometheus.NewDesc("suitesign_webhooks", "Webhooks, by state: working, failing, disabled by an admin, ended by the service.", []string{"state"}, nil),
		behind: prometheus.NewDesc("suitesign_webhook_lag_seconds", "How long the oldest delivery has been due.", nil, nil),
	})
}

type webhookCollector struct {
	status        WebhookStatus
	count, behind *prometheus.Desc
}

func (c *webhookCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.count
	ch <- c.behind
}

func (c *webhookCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	s, err := c.status.Status(ctx)
	if err != nil {
		return // absent, not zero: nobody knows
	}
	for state, n := range map[string]int{"working": s.Enabled - s.Failing, "failing": s.Failing, "disabled": s.Disabled, "ended": s.Ended} {
		ch <- prometheus.MustNewConstMetric(c.count, prometheus.GaugeValue, float64(n), state)
	}
	ch <- prometheus.MustNewConstMetric(c.behind, prometheus.GaugeValue, s.Behind.Seconds())
}
