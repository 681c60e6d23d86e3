package main

import (
	"suitesign/netguard"
	"suitesign/secret"
	"suitesign/web"
	"suitesign/web/webhook"
)

// wireWebhooks makes who listens, and who tells them.
func (a *app) wireWebhooks(h *house, ring *secret.Keyring) error {
	guard, err := a.config.Outbound.guard()
	if err != nil {
		return err
	}
	h.webhooks = &webhook.Store{Pool: a.pools.serving, Ring: ring, Guard: guard}
	working := &webhook.Store{Pool: a.pools.working, Ring: ring, Guard: guard}
	h.deliverer = &webhook.Deliverer{Store: working, Observe: a.metrics.ObserveWebhook, Log: a.log}
	h.warnOfWebhooks = web.WarnOfWebhooks(h.webhooks)
	a.metrics.WatchWebhooks(h.webhooks)
	return nil
}

// guard decides what may be called of what others choose.
func (o OutboundConfig) guard() (*netguard.Guard, error) {
	allowed, err := netguard.ParsePrefixes(o.Allow)
	return &netguard.Guard{Allowed: allowed}, err
}
