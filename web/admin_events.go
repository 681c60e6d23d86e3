package web

import (
	"context"
	"errors"
	"time"

	"github.com/oapi-codegen/nullable"

	"suitesign/suite"
	"suitesign/web/api"
	"suitesign/wecom"
)

// ListEvents answers GET /v1/events.
func (a *admin) ListEvents(ctx context.Context, r api.ListEventsRequestObject) (api.ListEventsResponseObject, error) {
	var after suite.EventCursor
	if _, err := readCursor(r.Params.Cursor, "events", &after.ReceivedAt, &after.ID); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	events, err := a.Suites.Events(requestContext(ctx), suite.EventFilter{
		SuiteID:  wecom.SuiteID(deref(r.Params.SuiteID)),
		CorpID:   wecom.CorpID(deref(r.Params.CorpID)),
		InfoType: deref(r.Params.InfoType),
		State:    suite.EventState(deref(r.Params.State)),
	}, after, !descends(r.Params.Sort, true), limit+1)
	if err != nil {
		return nil, err
	}
	events, next := pageOf(events, limit, func(last suite.Event) nullable.Nullable[api.NextCursor] {
		return nextCursor("events", last.ReceivedAt.UTC().Format(time.RFC3339Nano), last.ID.String())
	})
	return api.ListEvents200JSONResponse{Items: convert(events, showEvent), NextCursor: next}, nil
}

// GetEvent answers GET /v1/events/{event_id}.
func (a *admin) GetEvent(ctx context.Context, r api.GetEventRequestObject) (api.GetEventResponseObject, error) {
	found, err := a.Suites.Event(requestContext(ctx), r.EventID)
	if err != nil {
		return nil, ofEvent(err)
	}
	return api.GetEvent200JSONResponse{Body: showEvent(found)}, nil
}

// RetryEvent answers POST /v1/events/{event_id}/retry.
func (a *admin) RetryEvent(ctx context.Context, r api.RetryEventRequestObject) (api.RetryEventResponseObject, error) {
	ctx = requestContext(ctx)
	if err := a.Suites.Retry(ctx, r.EventID); err != nil {
		return nil, ofEvent(err)
	}
	due, err := a.Suites.Event(ctx, r.EventID)
	if err != nil {
		return nil, ofEvent(err)
	}
	return api.RetryEvent202JSONResponse(showEvent(due)), nil
}

// ofEvent says of an error of package suite that it is about an event.
func ofEvent(err error) error {
	if errors.Is(err, suite.ErrNotFound) {
		return errors.Join(errEventNotFound, err)
	}
	return err
}

func showEvent(e suite.Event) api.Event {
	return api.Event{
		ID:             e.ID,
		SuiteID:        api.SuiteID(e.SuiteID),
		Door:           api.EventDoor(e.Door),
		InfoType:       e.InfoType,
		CorpID:         orNull(string(e.CorpID), e.CorpID != ""),
		State:          api.EventState(e.State),
		Deliveries:     int32(e.Deliveries), //nolint:gosec // stored as an integer of 32 bits
		Attempts:       int32(e.Attempts),   //nolint:gosec // as above
		Error:          orNull(e.LastError, e.LastError != ""),
		Errcode:        orNull(int64(deref(e.LastErrcode)), e.LastErrcode != nil),
		EventTime:      timeOrNull(e.EventTime),
		ReceivedAt:     e.ReceivedAt.UTC(),
		LastReceivedAt: e.LastReceivedAt.UTC(),
		NextAttemptAt:  timeOrNull(e.NextAttemptAt),
		FinishedAt:     timeOrNull(e.FinishedAt),
	}
}
