package web

import (
	"context"

	"suitesign/reach"
	"suitesign/ticket"
	"suitesign/web/api"
)

// ListCredentials answers GET /v1/tenants/{tenant_id}/credentials.
func (a *admin) ListCredentials(ctx context.Context, r api.ListCredentialsRequestObject) (api.ListCredentialsResponseObject, error) {
	ctx = requestContext(ctx)
	if _, err := a.Tenants.Get(ctx, r.TenantID); err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	list, err := a.credentials(ctx, r.TenantID)
	return api.ListCredentials200JSONResponse(list), err
}

// RefreshCredentials answers POST /v1/tenants/{tenant_id}/credentials/refresh.
func (a *admin) RefreshCredentials(ctx context.Context, r api.RefreshCredentialsRequestObject) (api.RefreshCredentialsResponseObject, error) {
	ctx = requestContext(ctx)
	if _, err := a.Tenants.Get(ctx, r.TenantID); err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	// The tenant is one that the key reaches; the schedule and the budgets are the service's own.
	if err := a.Refresher.Force(reach.Lift(ctx), r.TenantID); err != nil {
		return nil, err
	}
	list, err := a.credentials(ctx, r.TenantID)
	return api.RefreshCredentials202JSONResponse(list), err
}

func (a *admin) credentials(ctx context.Context, id api.ID) (api.CredentialList, error) {
	credentials, err := a.Credentials.Credentials(ctx, id)
	if err != nil {
		return api.CredentialList{}, err
	}
	standing, err := a.Credentials.Standing(ctx, id)
	if err != nil {
		return api.CredentialList{}, err
	}
	return api.CredentialList{
		Items: convert(credentials, showCredential), NextCursor: lastPage(),
		Idle: standing.Idle, LastUsedAt: timeOrNull(standing.UsedAt),
	}, nil
}

func showCredential(c ticket.Credential) api.Credential {
	return api.Credential{
		Kind:          api.CredentialKind(c.Kind),
		ExpiresAt:     timeOrNull(c.ExpiresAt),
		RefreshedAt:   timeOrNull(c.RefreshedAt),
		NextRefreshAt: timeOrNull(c.NextAt),
		Failures:      int32(c.Failures), //nolint:gosec // stored as an integer of 32 bits
		LastError:     lastError(c.LastError, deref(c.LastErrcode), deref(c.LastErrorAt)),
	}
}
