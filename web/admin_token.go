package web

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"suitesign/reach"
	"suitesign/signing"
	"suitesign/tenant"
	"suitesign/ticket"
	"suitesign/web/api"
)

// GetAccessToken answers GET /v1/tenants/{tenant_id}/access-token.
func (a *admin) GetAccessToken(ctx context.Context, r api.GetAccessTokenRequestObject) (api.GetAccessTokenResponseObject, error) {
	ctx = requestContext(ctx)
	found, err := a.Tenants.Get(ctx, r.TenantID)
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	if found.Status != tenant.Active {
		return nil, signing.ErrTenantInactive
	}
	token, err := a.Credentials.Token(ctx, r.TenantID)
	if errors.Is(err, ticket.ErrNone) {
		// The tenant is one that the key reaches; leases and budgets are the service's own.
		if err = a.Refresher.DemandToken(reach.Lift(ctx), r.TenantID); err == nil {
			token, err = a.Credentials.Token(ctx, r.TenantID)
		}
	}
	if errors.Is(err, ticket.ErrNone) {
		return nil, noToken(err)
	}
	if err != nil {
		return nil, err
	}
	return api.GetAccessToken200JSONResponse{Body: api.AccessToken{
		AccessToken: token.Value.Reveal(), // what the caller asks for, and nobody else sees
		ExpiresAt:   token.ExpiresAt.UTC(), Fingerprint: hex.EncodeToString(token.Fingerprint),
	}}, nil
}

// noToken is a 503, whatever keeps a token from being fetched.
func noToken(err error) error {
	return &fault{err: errors.Join(ticket.ErrNone, errors.New(err.Error())), retry: 5 * time.Second,
		en: "There is no live access_token for this tenant at the moment; one is being fetched, or the tenant's health tells why not. Try again as Retry-After says.",
		zh: "该租户暂无有效的 access_token，系统正在获取；若一直没有，请查看租户的 health。请按 Retry-After 等待后重试。"}
}

// RefuseAccessToken answers POST /v1/tenants/{tenant_id}/access-token/refused.
func (a *admin) RefuseAccessToken(ctx context.Context, r api.RefuseAccessTokenRequestObject) (api.RefuseAccessTokenResponseObject, error) {
	ctx = requestContext(ctx)
	if _, err := a.Tenants.Get(ctx, r.TenantID); err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	fingerprint, err := hex.DecodeString(r.Body.Fingerprint)
	if err != nil { // the contract has looked at it
		return nil, errInvalidRequest
	}
	outcome, err := a.Refresher.Refused(reach.Lift(ctx), r.TenantID, fingerprint)
	if err != nil {
		return nil, err
	}
	return api.RefuseAccessToken202JSONResponse{Outcome: api.AccessTokenRefusalOutcome(outcome)}, nil
}
