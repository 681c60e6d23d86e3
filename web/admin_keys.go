package web

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/secret"
	"suitesign/web/api"
	"suitesign/web/apikey"
	"suitesign/wecom"
)

// ListAPIKeys answers GET /v1/api-keys.
func (a *admin) ListAPIKeys(ctx context.Context, r api.ListAPIKeysRequestObject) (api.ListAPIKeysResponseObject, error) {
	list, from := a.Gate.Store.ListUp, uuid.Nil
	if descends(r.Params.Sort, true) {
		list, from = a.Gate.Store.List, uuid.Max
	}
	if _, err := readCursor(r.Params.Cursor, "api-keys", &from); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	keys, err := list(requestContext(ctx), from, limit+1)
	if err != nil {
		return nil, err
	}
	keys, next := pageOf(keys, limit, func(last apikey.Key) nullable.Nullable[api.NextCursor] {
		return nextCursor("api-keys", last.ID.String())
	})
	return api.ListAPIKeys200JSONResponse{Items: convert(keys, showKey), NextCursor: next}, nil
}

// CreateAPIKey answers POST /v1/api-keys.
func (a *admin) CreateAPIKey(ctx context.Context, r api.CreateAPIKeyRequestObject) (api.CreateAPIKeyResponseObject, error) {
	ctx = requestContext(ctx)
	by := holderOf(ctx).Grant
	n := apikey.New{Name: r.Body.Name, Grant: by, ExpiresAt: timeOrNil(r.Body.ExpiresAt)}
	if r.Body.Scopes != nil {
		n.Scopes = convert(*r.Body.Scopes, func(s api.Scope) apikey.Scope { return apikey.Scope(s) })
	}
	if r.Body.SuiteIds != nil || r.Body.TenantIds != nil {
		n.SuiteIDs = convert(deref(r.Body.SuiteIds), func(id api.SuiteID) wecom.SuiteID { return wecom.SuiteID(id) })
		n.TenantIDs = deref(r.Body.TenantIds)
	}
	if n.Bound() { // a bound key that nobody can use is better not made
		if err := a.Gate.Store.CanBind(ctx); err != nil {
			return nil, err
		}
	}
	key, value, err := a.Gate.Store.Create(ctx, by, n)
	if err != nil {
		return nil, err
	}
	return api.CreateAPIKey201JSONResponse{
		Body: showNewKey(key, value), Headers: api.CreateAPIKey201ResponseHeaders{Location: "/v1/api-keys/" + key.ID.String()},
	}, nil
}

// GetAPIKey answers GET /v1/api-keys/{key_id}.
func (a *admin) GetAPIKey(ctx context.Context, r api.GetAPIKeyRequestObject) (api.GetAPIKeyResponseObject, error) {
	key, err := a.Gate.Store.Get(requestContext(ctx), r.KeyID)
	if err != nil {
		return nil, err
	}
	return api.GetAPIKey200JSONResponse{Body: showKey(key), Headers: api.GetAPIKey200ResponseHeaders{ETag: etag(key.Version)}}, nil
}

// UpdateAPIKey answers PATCH /v1/api-keys/{key_id}.
func (a *admin) UpdateAPIKey(ctx context.Context, r api.UpdateAPIKeyRequestObject) (api.UpdateAPIKeyResponseObject, error) {
	ctx = requestContext(ctx)
	key, err := a.Gate.Store.Update(ctx, holderOf(ctx).Grant, r.KeyID, apikey.Change{
		Name: r.Body.Name, ExpiresAt: endOf(r.Body.ExpiresAt), IfVersion: ifMatch(r.Params.IfMatch),
	})
	if err != nil {
		return nil, err
	}
	return api.UpdateAPIKey200JSONResponse{Body: showKey(key), Headers: api.UpdateAPIKey200ResponseHeaders{ETag: etag(key.Version)}}, nil
}

// defaultOverlap is the contract's.
const defaultOverlap = time.Hour

// RotateAPIKey answers POST /v1/api-keys/{key_id}/rotate.
func (a *admin) RotateAPIKey(ctx context.Context, r api.RotateAPIKeyRequestObject) (api.RotateAPIKeyResponseObject, error) {
	ctx = requestContext(ctx)
	rotation := apikey.Rotation{Overlap: defaultOverlap}
	if r.Body != nil {
		rotation.ExpiresAt = endOf(r.Body.ExpiresAt)
		if r.Body.OverlapSeconds != nil {
			rotation.Overlap = time.Duration(*r.Body.OverlapSeconds) * time.Second
		}
	}
	key, value, err := a.Gate.Store.Rotate(ctx, holderOf(ctx).Grant, r.KeyID, rotation)
	if err != nil {
		return nil, err
	}
	return api.RotateAPIKey201JSONResponse{
		Body: showNewKey(key, value), Headers: api.RotateAPIKey201ResponseHeaders{Location: "/v1/api-keys/" + key.ID.String()},
	}, nil
}

// RevokeAPIKey answers DELETE /v1/api-keys/{key_id}.
func (a *admin) RevokeAPIKey(ctx context.Context, r api.RevokeAPIKeyRequestObject) (api.RevokeAPIKeyResponseObject, error) {
	if err := a.Gate.Store.Revoke(requestContext(ctx), r.KeyID, ifMatch(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.RevokeAPIKey204Response{}, nil
}

func showKey(k apikey.Key) api.APIKey {
	return api.APIKey{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scopes: showScopes(k.Scopes), SuiteIds: showSuiteIDs(k.SuiteIDs), TenantIds: convert(k.TenantIDs, func(id uuid.UUID) api.ID { return id }),
		Replaces: orNull(deref(k.Replaces), k.Replaces != nil), CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: timeOrNull(k.ExpiresAt), RevokedAt: timeOrNull(k.RevokedAt), LastUsedAt: timeOrNull(k.LastUsedAt),
	}
}

func ptr[T any](v T) *T { return &v }

// showNewKey shows a key with its value, this once.
func showNewKey(k apikey.Key, value secret.String) api.NewAPIKey {
	return api.NewAPIKey{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scopes: showScopes(k.Scopes), SuiteIds: showSuiteIDs(k.SuiteIDs), TenantIds: convert(k.TenantIDs, func(id uuid.UUID) api.ID { return id }),
		Replaces:  orNull(deref(k.Replaces), k.Replaces != nil),
		CreatedAt: k.CreatedAt.UTC(), ExpiresAt: timeOrNull(k.ExpiresAt), Key: ptr(value.Reveal()),
	}
}

func showSuiteIDs(ids []wecom.SuiteID) []api.SuiteID {
	return convert(ids, func(id wecom.SuiteID) api.SuiteID { return api.SuiteID(id) })
}

func showScopes(scopes []apikey.Scope) []api.Scope {
	return convert(scopes, func(s apikey.Scope) api.Scope { return api.Scope(s) })
}

// endOf is nil for an end that is not named, and never for null.
func endOf(v nullable.Nullable[time.Time]) **time.Time {
	if !v.IsSpecified() {
		return nil
	}
	end := timeOrNil(v)
	return &end
}

// timeOrNil is nil for a time that is absent or null.
func timeOrNil(v nullable.Nullable[time.Time]) *time.Time {
	t, err := v.Get()
	if err != nil {
		return nil
	}
	return &t
}
