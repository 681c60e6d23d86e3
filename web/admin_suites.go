package web

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/oapi-codegen/nullable"

	"suitesign/suite"
	"suitesign/web/api"
	"suitesign/wecom"
)

// ListSuites answers GET /v1/suites.
func (a *admin) ListSuites(ctx context.Context, r api.ListSuitesRequestObject) (api.ListSuitesResponseObject, error) {
	ctx = requestContext(ctx)
	var after string
	if _, err := readCursor(r.Params.Cursor, "suites", &after); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	suites, err := a.Suites.Page(ctx, wecom.SuiteID(after), descends(r.Params.Sort, false), limit+1)
	if err != nil {
		return nil, err
	}
	suites, next := pageOf(suites, limit, func(last suite.Suite) nullable.Nullable[api.NextCursor] {
		return nextCursor("suites", string(last.ID))
	})
	items, err := a.showSuites(ctx, suites...)
	if err != nil {
		return nil, err
	}
	return api.ListSuites200JSONResponse{Items: items, NextCursor: next}, nil
}

// CreateSuite answers POST /v1/suites.
func (a *admin) CreateSuite(ctx context.Context, r api.CreateSuiteRequestObject) (api.CreateSuiteResponseObject, error) {
	ctx = requestContext(ctx)
	made, err := a.Suites.Create(ctx, suite.New{
		ID:              wecom.SuiteID(r.Body.SuiteID),
		Kind:            suite.Kind(r.Body.Kind),
		Name:            r.Body.Name,
		SuiteSecret:     deref(r.Body.SuiteSecret),
		CallbackToken:   deref(r.Body.CallbackToken),
		EncodingAESKey:  deref(r.Body.EncodingAESKey),
		ProviderCorpID:  wecom.CorpID(deref(r.Body.ProviderCorpID)),
		InstallTestMode: deref(r.Body.InstallTestMode),
	})
	if err != nil {
		return nil, ofSuite(err)
	}
	shown, err := a.showSuites(ctx, made)
	if err != nil {
		return nil, err
	}
	return api.CreateSuite201JSONResponse{Body: shown[0], Headers: api.CreateSuite201ResponseHeaders{
		ETag: etag(made.Version), Location: "/v1/suites/" + url.PathEscape(string(made.ID)),
	}}, nil
}

// GetSuite answers GET /v1/suites/{suite_id}.
func (a *admin) GetSuite(ctx context.Context, r api.GetSuiteRequestObject) (api.GetSuiteResponseObject, error) {
	ctx = requestContext(ctx)
	found, err := a.Suites.Get(ctx, wecom.SuiteID(r.SuiteID))
	if err != nil {
		return nil, ofSuite(err)
	}
	shown, err := a.showSuites(ctx, found)
	if err != nil {
		return nil, err
	}
	return api.GetSuite200JSONResponse{Body: shown[0], Headers: api.GetSuite200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateSuite answers PATCH /v1/suites/{suite_id}.
func (a *admin) UpdateSuite(ctx context.Context, r api.UpdateSuiteRequestObject) (api.UpdateSuiteResponseObject, error) {
	ctx = requestContext(ctx)
	patch := suite.Patch{
		Name:            r.Body.Name,
		SuiteSecret:     r.Body.SuiteSecret,
		CallbackToken:   r.Body.CallbackToken,
		EncodingAESKey:  r.Body.EncodingAESKey,
		InstallTestMode: fromNullable(r.Body.InstallTestMode),
		IfVersion:       ifMatch(r.Params.IfMatch),
	}
	if corp := fromNullable(r.Body.ProviderCorpID); corp != nil {
		patch.ProviderCorpID = (*wecom.CorpID)(corp)
	}
	changed, err := a.Suites.Update(ctx, wecom.SuiteID(r.SuiteID), patch)
	if err != nil {
		return nil, ofSuite(err)
	}
	shown, err := a.showSuites(ctx, changed)
	if err != nil {
		return nil, err
	}
	return api.UpdateSuite200JSONResponse{Body: shown[0], Headers: api.UpdateSuite200ResponseHeaders{ETag: etag(changed.Version)}}, nil
}

// DeleteSuite answers DELETE /v1/suites/{suite_id}.
func (a *admin) DeleteSuite(ctx context.Context, r api.DeleteSuiteRequestObject) (api.DeleteSuiteResponseObject, error) {
	if err := a.Suites.Delete(requestContext(ctx), wecom.SuiteID(r.SuiteID), ifMatch(r.Params.IfMatch)); err != nil {
		return nil, ofSuite(err)
	}
	return api.DeleteSuite204Response{}, nil
}

// ofSuite says of an error of package suite that it is about a suite.
func ofSuite(err error) error {
	if errors.Is(err, suite.ErrNotFound) {
		return errors.Join(errSuiteNotFound, err)
	}
	return err
}

// fromNullable is nil for what a merge patch does not name, and the zero value for null.
func fromNullable[T any](v nullable.Nullable[T]) *T {
	if !v.IsSpecified() {
		return nil
	}
	value, _ := v.Get() // the zero value for null
	return &value
}

// showSuites shows suites with how their own credentials fare.
func (a *admin) showSuites(ctx context.Context, suites ...suite.Suite) ([]api.Suite, error) {
	byID := make(map[wecom.SuiteID]suite.Status, len(suites))
	if len(suites) > 0 {
		statuses, err := a.Suites.Statuses(ctx, convert(suites, func(s suite.Suite) wecom.SuiteID { return s.ID })...)
		if err != nil {
			return nil, err
		}
		for _, status := range statuses {
			byID[status.SuiteID] = status
		}
	}
	return convert(suites, func(s suite.Suite) api.Suite { return a.showSuite(s, byID[s.ID]) }), nil
}

func (a *admin) showSuite(s suite.Suite, status suite.Status) api.Suite {
	id := url.PathEscape(string(s.ID))
	command, known := a.publicURL("/callback/%s/command", id)
	data, _ := a.publicURL("/callback/%s/data", id)
	install, _ := a.publicURL("/install/%s", id)
	known = known && s.Kind != suite.Internal
	return api.Suite{
		SuiteID:           api.SuiteID(s.ID),
		Kind:              api.SuiteKind(s.Kind),
		Name:              s.Name,
		ProviderCorpID:    string(s.ProviderCorpID),
		InstallTestMode:   s.InstallTestMode,
		SuiteSecretSet:    s.SuiteSecretSet,
		CallbackTokenSet:  s.CallbackTokenSet,
		EncodingAESKeySet: s.EncodingAESKeySet,
		SuiteTicket: orNull(api.SuiteTicketState{
			ReceivedAt: deref(status.TicketReceivedAt).UTC(),
			AgeSeconds: int64(status.TicketAge / time.Second),
		}, status.TicketReceivedAt != nil),
		Warnings:     convert(status.Warnings, func(w suite.Warning) api.SuiteWarning { return api.SuiteWarning(w) }),
		LastError:    lastError(status.LastError, deref(status.LastErrcode), deref(status.LastErrorAt)),
		CallbackURLs: orNull(api.CallbackURLs{Command: command, Data: data}, known),
		InstallURL:   orNull(install, known),
		CreatedAt:    s.CreatedAt.UTC(),
		UpdatedAt:    s.UpdatedAt.UTC(),
	}
}
