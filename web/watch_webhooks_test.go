package web

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"suitesign/web/webhook"
)

// oneStatus is how webhooks fare; nil: the database is away.
type oneStatus struct{ is *webhook.Status }

func (s oneStatus) Status(context.Context) (webhook.Status, error) {
	if s.is == nil {
		return webhook.Status{}, errors.New("database away")
	}
	return *s.is, nil
}

func TestWebhooksThatNeedAnOperator(t *testing.T) {
	t.Parallel()
	status := oneStatus{&webhook.Status{Enabled: 5, Failing: 2, Disabled: 1, Ended: 3, Behind: 10*time.Minute + time.Millisecond}}
	want := []string{
		"webhooks that were disabled because they failed for five days or are gone: 3; see GET /v1/webhooks",
		"the oldest webhook delivery has been due for 10m0s",
	}
	if diff := cmp.Diff(want, WarnOfWebhooks(status)(t.Context())); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for _, quiet := range []oneStatus{{}, {&webhook.Status{Enabled: 5, Failing: 2, Disabled: 1, Behind: time.Minute}}} {
		if got := WarnOfWebhooks(quiet)(t.Context()); got != nil {
			t.Errorf("%+v: warnings %q, want none", quiet.is, got)
		}
	}
	s, _ := newServer()
	s.Metrics.WatchWebhooks(status)
	s.Metrics.ObserveWebhook("delivered", time.Second)
	text := bodyOf(t, send(t, "GET", serve(t, s.Admin())+"/metrics", nil))
	for _, want := range []string{
		`suitesign_webhooks{state="working"} 3`, `suitesign_webhooks{state="failing"} 2`, `suitesign_webhooks{state="disabled"} 1`,
		`suitesign_webhooks{state="ended"} 3`, `suitesign_webhook_lag_seconds 600.001`, `suitesign_webhook_attempt_duration_seconds_count{outcome="delivered"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}
