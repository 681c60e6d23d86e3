package web

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/web/api"
	"suitesign/web/apikey"
)

// ListAPIKeys answers GET /v1/api-keys.
func (a *admin) ListAPIKeys(ctx context.Context, r api.ListAPIKeysRequestObject) (api.ListAPIKeysResponseObject, error) {
	before := uuid.Max
	if _, err := readCursor(r.Params.Cursor, "api-keys", &before); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	keys, err := a.Gate.Store.List(requestContext(ctx), before, limit+1)
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
	key, value, err := a.Gate.Store.Create(requestContext(ctx), r.Body.Name, timeOrNil(r.Body.ExpiresAt))
	if err != nil {
		return nil, err
	}
	return api.CreateAPIKey201JSONResponse{
		Body: api.NewAPIKey{
			ID: key.ID, Name: key.Name, Prefix: key.Prefix, CreatedAt: key.CreatedAt.UTC(), ExpiresAt: timeOrNull(key.ExpiresAt),
			Key: ptr(value.Reveal()), // shown this once
		},
		Headers: api.CreateAPIKey201ResponseHeaders{Location: "/v1/api-keys/" + key.ID.String()},
	}, nil
}

// GetAPIKey answers GET /v1/api-keys/{key_id}.
func (a *admin) GetAPIKey(ctx context.Context, r api.GetAPIKeyRequestObject) (api.GetAPIKeyResponseObject, error) {
	key, err := a.Gate.Store.Get(requestContext(ctx), r.KeyID)
	if err != nil {
		return nil, err
	}
	return api.GetAPIKey200JSONResponse{Body: showKey(key), Headers: api.GetAPIKey200ResponseHeaders{ETag: etag(versionOf(key))}}, nil
}

// RevokeAPIKey answers DELETE /v1/api-keys/{key_id}.
func (a *admin) RevokeAPIKey(ctx context.Context, r api.RevokeAPIKeyRequestObject) (api.RevokeAPIKeyResponseObject, error) {
	if wanted := ifMatch(r.Params.IfMatch); wanted != nil {
		key, err := a.Gate.Store.Get(requestContext(ctx), r.KeyID)
		if err != nil {
			return nil, err
		}
		if versionOf(key) != *wanted {
			return nil, errVersion
		}
	}
	if err := a.Gate.Store.Revoke(requestContext(ctx), r.KeyID); err != nil {
		return nil, err
	}
	return api.RevokeAPIKey204Response{}, nil
}

// versionOf is a key's version: nothing but its end changes it.
func versionOf(k apikey.Key) int64 {
	if k.RevokedAt != nil {
		return 2
	}
	return 1
}

func showKey(k apikey.Key) api.APIKey {
	return api.APIKey{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, CreatedAt: k.CreatedAt.UTC(),
		ExpiresAt: timeOrNull(k.ExpiresAt), RevokedAt: timeOrNull(k.RevokedAt), LastUsedAt: timeOrNull(k.LastUsedAt),
	}
}

func ptr[T any](v T) *T { return &v }

// timeOrNil is nil for a time that is absent or null.
func timeOrNil(v nullable.Nullable[time.Time]) *time.Time {
	t, err := v.Get()
	if err != nil {
		return nil
	}
	return &t
}
