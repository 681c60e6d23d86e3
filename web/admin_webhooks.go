package web

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/audit"
	"suitesign/netguard"
	"suitesign/web/api"
	"suitesign/web/webhook"
)

// ListWebhooks answers GET /v1/webhooks.
func (a *admin) ListWebhooks(ctx context.Context, r api.ListWebhooksRequestObject) (api.ListWebhooksResponseObject, error) {
	before := uuid.Max
	if _, err := readCursor(r.Params.Cursor, "webhooks", &before); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	list, err := a.Webhooks.List(requestContext(ctx), before, limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf(list, limit, func(last webhook.Webhook) nullable.Nullable[api.NextCursor] {
		return nextCursor("webhooks", last.ID.String())
	})
	return api.ListWebhooks200JSONResponse{Items: convert(list, showWebhook), NextCursor: next}, nil
}

// CreateWebhook answers POST /v1/webhooks.
func (a *admin) CreateWebhook(ctx context.Context, r api.CreateWebhookRequestObject) (api.CreateWebhookResponseObject, error) {
	made, value, err := a.Webhooks.Create(requestContext(ctx), webhook.New{
		URL:         r.Body.URL,
		Description: deref(r.Body.Description),
		Events:      convert(r.Body.Events, readEventType),
		SuiteIDs:    convert(deref(r.Body.SuiteIds), readText),
		TenantIDs:   deref(r.Body.TenantIds),
		Disabled:    r.Body.Enabled != nil && !*r.Body.Enabled,
	})
	if err != nil {
		return nil, err
	}
	shown := withSecret(made)
	shown.Secret = ptr(value.Reveal()) // shown this once
	return api.CreateWebhook201JSONResponse{Body: shown, Headers: api.CreateWebhook201ResponseHeaders{
		ETag: etag(made.Version), Location: "/v1/webhooks/" + made.ID.String(),
	}}, nil
}

// GetWebhook answers GET /v1/webhooks/{webhook_id}.
func (a *admin) GetWebhook(ctx context.Context, r api.GetWebhookRequestObject) (api.GetWebhookResponseObject, error) {
	found, err := a.Webhooks.Get(requestContext(ctx), r.WebhookID)
	if err != nil {
		return nil, err
	}
	return api.GetWebhook200JSONResponse{Body: showWebhook(found), Headers: api.GetWebhook200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateWebhook answers PATCH /v1/webhooks/{webhook_id}.
func (a *admin) UpdateWebhook(ctx context.Context, r api.UpdateWebhookRequestObject) (api.UpdateWebhookResponseObject, error) {
	patch := webhook.Patch{URL: r.Body.URL, Description: r.Body.Description, TenantIDs: r.Body.TenantIds, Enabled: r.Body.Enabled,
		IfVersion: ifMatch(r.Params.IfMatch)}
	if r.Body.Events != nil {
		patch.Events = ptr(convert(*r.Body.Events, readEventType))
	}
	if r.Body.SuiteIds != nil {
		patch.SuiteIDs = ptr(convert(*r.Body.SuiteIds, readText))
	}
	changed, err := a.Webhooks.Update(requestContext(ctx), r.WebhookID, patch)
	if err != nil {
		return nil, err
	}
	return api.UpdateWebhook200JSONResponse{Body: showWebhook(changed), Headers: api.UpdateWebhook200ResponseHeaders{ETag: etag(changed.Version)}}, nil
}

// DeleteWebhook answers DELETE /v1/webhooks/{webhook_id}.
func (a *admin) DeleteWebhook(ctx context.Context, r api.DeleteWebhookRequestObject) (api.DeleteWebhookResponseObject, error) {
	if err := a.Webhooks.Delete(requestContext(ctx), r.WebhookID, ifMatch(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeleteWebhook204Response{}, nil
}

// defaultSecretOverlap is the contract's.
const defaultSecretOverlap = 24 * time.Hour

// RotateWebhookSecret answers POST /v1/webhooks/{webhook_id}/rotate-secret.
func (a *admin) RotateWebhookSecret(ctx context.Context, r api.RotateWebhookSecretRequestObject) (api.RotateWebhookSecretResponseObject, error) {
	overlap := defaultSecretOverlap
	if r.Body != nil && r.Body.OverlapSeconds != nil {
		overlap = time.Duration(*r.Body.OverlapSeconds) * time.Second
	}
	rotated, value, err := a.Webhooks.Rotate(requestContext(ctx), r.WebhookID, overlap, nil)
	if err != nil {
		return nil, err
	}
	shown := withSecret(rotated)
	shown.Secret = ptr(value.Reveal()) // shown this once
	return api.RotateWebhookSecret200JSONResponse(shown), nil
}

// TestWebhook answers POST /v1/webhooks/{webhook_id}/test.
func (a *admin) TestWebhook(ctx context.Context, r api.TestWebhookRequestObject) (api.TestWebhookResponseObject, error) {
	ctx = requestContext(ctx)
	sent, err := a.WebhookTests.Test(ctx, r.WebhookID)
	if err != nil {
		return nil, err
	}
	shown, err := a.wholeDelivery(ctx, sent)
	return api.TestWebhook200JSONResponse(shown), err
}

// ListWebhookDeliveries answers GET /v1/webhooks/{webhook_id}/deliveries.
func (a *admin) ListWebhookDeliveries(ctx context.Context, r api.ListWebhookDeliveriesRequestObject) (api.ListWebhookDeliveriesResponseObject, error) {
	var after webhook.DeliveryCursor
	if _, err := readCursor(r.Params.Cursor, "webhook-deliveries", &after.CreatedAt, &after.ID); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	list, err := a.Webhooks.Deliveries(requestContext(ctx), r.WebhookID, webhook.DeliveryFilter{
		State: webhook.State(deref(r.Params.State)), EventType: string(deref(r.Params.EventType)),
	}, after, limit+1)
	if err != nil {
		return nil, err
	}
	list, next := pageOf(list, limit, func(last webhook.Delivery) nullable.Nullable[api.NextCursor] {
		return nextCursor("webhook-deliveries", last.CreatedAt.UTC().Format(time.RFC3339Nano), last.ID.String())
	})
	return api.ListWebhookDeliveries200JSONResponse{Items: convert(list, showDelivery), NextCursor: next}, nil
}

// GetWebhookDelivery answers GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}.
func (a *admin) GetWebhookDelivery(ctx context.Context, r api.GetWebhookDeliveryRequestObject) (api.GetWebhookDeliveryResponseObject, error) {
	ctx = requestContext(ctx)
	found, err := a.Webhooks.Delivery(ctx, r.WebhookID, r.DeliveryID)
	if err != nil {
		return nil, err
	}
	shown, err := a.wholeDelivery(ctx, found)
	return api.GetWebhookDelivery200JSONResponse{Body: shown}, err
}

// ReplayWebhookDelivery answers POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay.
func (a *admin) ReplayWebhookDelivery(ctx context.Context, r api.ReplayWebhookDeliveryRequestObject) (api.ReplayWebhookDeliveryResponseObject, error) {
	ctx = requestContext(ctx)
	due, err := a.Webhooks.Replay(ctx, r.WebhookID, r.DeliveryID)
	if err != nil {
		return nil, err
	}
	shown, err := a.wholeDelivery(ctx, due)
	return api.ReplayWebhookDelivery202JSONResponse(shown), err
}

// wholeDelivery shows a delivery with its payload and attempts.
func (a *admin) wholeDelivery(ctx context.Context, d webhook.Delivery) (api.WebhookDelivery, error) {
	attempts, err := a.Webhooks.Attempts(ctx, d.ID)
	shown := showDelivery(d)
	shown.Payload = ptr(d.Payload)
	shown.Attempts = ptr(convert(attempts, showAttempt))
	return shown, err
}

func showWebhook(w webhook.Webhook) api.Webhook {
	return api.Webhook{
		ID:             w.ID,
		URL:            w.URL,
		Description:    w.Description,
		Events:         convert(w.Events, func(e audit.EventType) api.WebhookEventType { return api.WebhookEventType(e) }),
		SuiteIds:       convert(w.SuiteIDs, func(s string) api.SuiteID { return s }),
		TenantIds:      convert(w.TenantIDs, func(id uuid.UUID) api.ID { return id }),
		Enabled:        w.Enabled,
		DisabledReason: orNull(api.WebhookDisabledReason(w.DisabledReason), w.DisabledReason != ""),
		OverlapUntil:   timeOrNull(w.PreviousUntil),
		FailingSince:   timeOrNull(w.FailingSince),
		Failures:       int32(w.Failures), //nolint:gosec // stored as an integer of 32 bits
		LastSuccessAt:  timeOrNull(w.LastSuccessAt),
		LastFailureAt:  timeOrNull(w.LastFailureAt),
		CreatedAt:      w.CreatedAt.UTC(),
		UpdatedAt:      w.UpdatedAt.UTC(),
	}
}

// withSecret is showWebhook for the two answers that show a secret beside it.
func withSecret(w webhook.Webhook) api.WebhookWithSecret {
	s := showWebhook(w)
	return api.WebhookWithSecret{
		ID: s.ID, URL: s.URL, Description: s.Description, Events: s.Events, SuiteIds: s.SuiteIds, TenantIds: s.TenantIds,
		Enabled: s.Enabled, DisabledReason: s.DisabledReason, OverlapUntil: s.OverlapUntil, FailingSince: s.FailingSince,
		Failures: s.Failures, LastSuccessAt: s.LastSuccessAt, LastFailureAt: s.LastFailureAt, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}

func showDelivery(d webhook.Delivery) api.WebhookDelivery {
	return api.WebhookDelivery{
		ID:            d.ID,
		WebhookID:     d.WebhookID,
		EventID:       d.EventID,
		EventType:     api.WebhookDeliveryType(d.EventType),
		SuiteID:       orNull(d.SuiteID, d.SuiteID != ""),
		TenantID:      orNull(deref(d.TenantID), d.TenantID != nil),
		State:         api.WebhookDeliveryState(d.State),
		AttemptsMade:  int32(d.Attempts), //nolint:gosec // stored as an integer of 32 bits
		NextAttemptAt: timeOrNull(d.NextAt),
		Status:        orNull(int32(deref(d.LastStatus)), d.LastStatus != nil), //nolint:gosec // an HTTP status
		Error:         orNull(d.LastError, d.LastError != ""),
		OccurredAt:    d.OccurredAt.UTC(),
		CreatedAt:     d.CreatedAt.UTC(),
		FinishedAt:    timeOrNull(d.FinishedAt),
	}
}

func showAttempt(t webhook.Attempt) api.WebhookAttempt {
	return api.WebhookAttempt{
		Number:    int32(t.Number), //nolint:gosec // stored as an integer of 32 bits
		At:        t.At.UTC(),
		LatencyMs: int32(t.Latency.Milliseconds()),                 //nolint:gosec // stored as an integer of 32 bits
		Status:    orNull(int32(deref(t.Status)), t.Status != nil), //nolint:gosec // an HTTP status
		Error:     orNull(t.Error, t.Error != ""),
		Response:  t.Response,
	}
}

func readEventType(t api.WebhookEventType) audit.EventType { return audit.EventType(t) }

func readText[T ~string](t T) string { return string(t) }

// ofWebhook gives what is refused of a webhook its place in the body.
func ofWebhook(err error, language string) error {
	var unknown *webhook.UnknownError
	if errors.As(err, &unknown) {
		place := "/" + unknown.Field + "/" + strconv.Itoa(unknown.Index)
		return fieldFault([]FieldError{{Pointer: place, Detail: say(language, "names nothing that exists; case matters", "没有对应的对象（区分大小写）")}})
	}
	for _, refused := range []error{netguard.ErrURL, netguard.ErrForbidden} {
		if !errors.Is(err, refused) {
			continue
		}
		why := err.Error() // it names an address, never the URL
		why = why[strings.Index(why, refused.Error()):]
		line := rowFor(refused)
		return &fault{err: refused, en: line.en, zh: line.zh, fields: []FieldError{{Pointer: "/url", Detail: why}}}
	}
	return err
}

// rowFor is the line of the table for an error that has one.
func rowFor(err error) row {
	return adminProblems[slices.IndexFunc(adminProblems, func(line row) bool { return line.err == err })] //nolint:errorlint // the table's own
}
