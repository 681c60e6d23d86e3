package web

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/web/api"
	"suitesign/wecom"
)

// ListTenants answers GET /v1/tenants.
func (a *admin) ListTenants(ctx context.Context, r api.ListTenantsRequestObject) (api.ListTenantsResponseObject, error) {
	filter := tenant.Filter{
		SuiteID: wecom.SuiteID(deref(r.Params.SuiteID)),
		CorpID:  wecom.CorpID(deref(r.Params.CorpID)),
		Status:  tenant.Status(deref(r.Params.Status)),
		Health:  tenant.Health(deref(r.Params.Health)),
		Query:   deref(r.Params.Q),
	}
	by := tenant.Sort(deref(r.Params.Sort))
	if err := mayOrder(filter, by); err != nil {
		return nil, err
	}
	var after tenant.Cursor
	if _, err := readCursor(r.Params.Cursor, "tenants", &after.Key, &after.ID); err != nil {
		return nil, err
	}
	tenants, last, err := a.Tenants.Page(requestContext(ctx), filter, by, after, limitOf(r.Params.Limit))
	if errors.Is(err, tenant.ErrCursor) {
		return nil, errCursor
	}
	if err != nil {
		return nil, err
	}
	next := lastPage()
	if last != (tenant.Cursor{}) {
		next = nextCursor("tenants", last.Key, last.ID.String())
	}
	return api.ListTenants200JSONResponse{Items: convert(tenants, showTenant), NextCursor: next}, nil
}

// mayOrder refuses an order that has no index with a filter.
func mayOrder(f tenant.Filter, by tenant.Sort) error {
	switch by {
	case "":
	case tenant.ByName, tenant.ByNameRev:
		if f.Query == "" && (f.Status != "" || f.Health != "") {
			return invalid("sort", "status and health go with created_at and -created_at only.", "status、health 只能与 created_at、-created_at 一起使用。")
		}
	default:
		if f.Query != "" {
			return invalid("sort", "q goes with name and -name only.", "q 只能与 name、-name 一起使用。")
		}
		if (by == tenant.ByUpdate || by == tenant.ByUpdateRev) && (f.Status != "" || f.Health != "") {
			return invalid("sort", "status and health go with created_at and -created_at only.", "status、health 只能与 created_at、-created_at 一起使用。")
		}
	}
	return nil
}

// CreateTenant answers POST /v1/tenants.
func (a *admin) CreateTenant(ctx context.Context, r api.CreateTenantRequestObject) (api.CreateTenantResponseObject, error) {
	made, err := a.Suites.CreateInternal(requestContext(ctx), suite.NewInternal{
		SuiteID: wecom.SuiteID(r.Body.SuiteID),
		CorpID:  wecom.CorpID(r.Body.CorpID),
		AgentID: wecom.AgentID(r.Body.AgentID),
		Secret:  deref(r.Body.Secret),
		Name:    deref(r.Body.Name),
	})
	if errors.Is(err, suite.ErrExists) {
		err = errors.Join(tenant.ErrConflict, err)
	}
	if err != nil {
		return nil, ofSuite(err)
	}
	return api.CreateTenant201JSONResponse{Body: showTenant(made), Headers: api.CreateTenant201ResponseHeaders{
		ETag: etag(made.Version), Location: "/v1/tenants/" + made.ID.String(),
	}}, nil
}

// GetTenant answers GET /v1/tenants/{tenant_id}.
func (a *admin) GetTenant(ctx context.Context, r api.GetTenantRequestObject) (api.GetTenantResponseObject, error) {
	found, err := a.Tenants.Get(requestContext(ctx), r.TenantID)
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	return api.GetTenant200JSONResponse{Body: showTenant(found), Headers: api.GetTenant200ResponseHeaders{ETag: etag(found.Version)}}, nil
}

// UpdateTenant answers PATCH /v1/tenants/{tenant_id}. What belongs to an
// internal app is another room's: whether it may change is asked before
// anything does.
func (a *admin) UpdateTenant(ctx context.Context, r api.UpdateTenantRequestObject) (api.UpdateTenantResponseObject, error) {
	ctx = requestContext(ctx)
	app := suite.InternalPatch{Secret: r.Body.Secret, AgentID: (*wecom.AgentID)(r.Body.AgentID)}
	if app != (suite.InternalPatch{}) {
		if err := a.mustBeInternal(ctx, r.TenantID); err != nil {
			return nil, err
		}
	}
	update := tenant.Update{Name: r.Body.Name, Beside: app != (suite.InternalPatch{})}
	if r.Body.Status != nil {
		disabled := *r.Body.Status == api.TenantPatchStatusDisabled
		update.Disabled = &disabled
	}
	changed, err := a.Tenants.Update(ctx, r.TenantID, update, ifMatch(r.Params.IfMatch))
	if err == nil && app != (suite.InternalPatch{}) {
		if err = a.Suites.UpdateInternal(ctx, r.TenantID, app); err == nil {
			changed, err = a.Tenants.Get(ctx, r.TenantID)
		}
	}
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	return api.UpdateTenant200JSONResponse{Body: showTenant(changed), Headers: api.UpdateTenant200ResponseHeaders{ETag: etag(changed.Version)}}, nil
}

func (a *admin) mustBeInternal(ctx context.Context, id uuid.UUID) error {
	found, err := a.Tenants.Get(ctx, id)
	if err != nil {
		return ofTenant(err, errTenantNotFound)
	}
	owner, err := a.Suites.Get(ctx, found.SuiteID)
	if err != nil {
		return ofSuite(err)
	}
	if owner.Kind != suite.Internal {
		return suite.ErrWrongKind
	}
	return nil
}

// DeleteTenant answers DELETE /v1/tenants/{tenant_id}.
func (a *admin) DeleteTenant(ctx context.Context, r api.DeleteTenantRequestObject) (api.DeleteTenantResponseObject, error) {
	err := a.Suites.DeleteInternal(requestContext(ctx), r.TenantID, ifMatch(r.Params.IfMatch))
	if errors.Is(err, suite.ErrNotFound) {
		return nil, errors.Join(errTenantNotFound, err)
	}
	if err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	return api.DeleteTenant204Response{}, nil
}

// PutTenantAlias answers PUT /v1/tenants/{tenant_id}/aliases/{corp_id}.
func (a *admin) PutTenantAlias(ctx context.Context, r api.PutTenantAliasRequestObject) (api.PutTenantAliasResponseObject, error) {
	if err := a.Tenants.AddAlias(requestContext(ctx), r.TenantID, wecom.CorpID(r.CorpID)); err != nil {
		return nil, ofTenant(err, errTenantNotFound)
	}
	return api.PutTenantAlias200JSONResponse{CorpID: r.CorpID, TenantID: r.TenantID}, nil
}

// DeleteTenantAlias answers DELETE /v1/tenants/{tenant_id}/aliases/{corp_id}.
func (a *admin) DeleteTenantAlias(ctx context.Context, r api.DeleteTenantAliasRequestObject) (api.DeleteTenantAliasResponseObject, error) {
	if err := a.Tenants.RemoveAlias(requestContext(ctx), r.TenantID, wecom.CorpID(r.CorpID)); err != nil {
		return nil, ofTenant(err, errAliasNotFound)
	}
	return api.DeleteTenantAlias204Response{}, nil
}

// ofTenant says of an error of package tenant what it is that was not found.
func ofTenant(err, notFound error) error {
	if errors.Is(err, tenant.ErrNotFound) {
		return errors.Join(notFound, err)
	}
	return err
}

func showTenant(t tenant.Tenant) api.Tenant {
	return api.Tenant{
		ID:           t.ID,
		SuiteID:      api.SuiteID(t.SuiteID),
		CorpID:       api.CorpID(t.CorpID),
		Name:         t.Name,
		Status:       api.TenantStatus(t.Status),
		Health:       api.TenantHealth(t.Health),
		LastError:    lastError(t.LastError, t.LastErrcode, t.LastErrorAt),
		Agents:       convert(t.Agents, func(g tenant.Agent) api.Agent { return api.Agent{AgentID: int64(g.ID), Name: g.Name} }),
		Aliases:      convert(t.Aliases, func(c wecom.CorpID) api.CorpID { return api.CorpID(c) }),
		AuthorizedAt: t.AuthorizedAt.UTC(),
		CancelledAt:  timeOrNull(&t.CancelledAt),
		CreatedAt:    t.CreatedAt.UTC(),
		UpdatedAt:    t.UpdatedAt.UTC(),
	}
}

// lastError shows what went wrong; null where nothing did. errcode 0 is none.
func lastError(message string, errcode int, at time.Time) nullable.Nullable[api.LastError] {
	return orNull(api.LastError{
		Message: message,
		Errcode: orNull(int64(errcode), errcode != 0),
		At:      timeOrNull(&at),
	}, message != "" || errcode != 0)
}
