package web

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"suitesign/audit"
	"suitesign/web/api"
)

// ListAuditLog answers GET /v1/audit-log.
func (a *admin) ListAuditLog(ctx context.Context, r api.ListAuditLogRequestObject) (api.ListAuditLogResponseObject, error) {
	var after audit.Cursor
	if _, err := readCursor(r.Params.Cursor, "audit-log", &after.At, &after.ID); err != nil {
		return nil, err
	}
	limit := limitOf(r.Params.Limit)
	records, err := a.Audit.List(requestContext(ctx), auditFilter(r.Params), after, limit+1)
	if err != nil {
		return nil, err
	}
	records, next := pageOf(records, limit, func(last audit.Record) nullable.Nullable[api.NextCursor] {
		return nextCursor("audit-log", last.At.UTC().Format(time.RFC3339Nano), last.ID.String())
	})
	return api.ListAuditLog200JSONResponse{Items: convert(records, showAudit), NextCursor: next}, nil
}

// GetAuditEntry answers GET /v1/audit-log/{entry_id}.
func (a *admin) GetAuditEntry(ctx context.Context, r api.GetAuditEntryRequestObject) (api.GetAuditEntryResponseObject, error) {
	record, err := a.Audit.Get(requestContext(ctx), r.EntryID)
	if err != nil {
		return nil, err
	}
	return api.GetAuditEntry200JSONResponse{Body: showAudit(record)}, nil
}

// auditFilter reads the parameters that list and export share.
func auditFilter(p api.ListAuditLogParams) audit.Filter {
	return audit.Filter{
		ActorKind: audit.ActorKind(deref(p.ActorKind)), Actor: deref(p.Actor), APIKeyID: deref(p.APIKeyID),
		Action: audit.Action(deref(p.Action)), TargetKind: deref(p.TargetKind), TargetID: deref(p.TargetID),
		SuiteID: deref(p.SuiteID), TenantID: deref(p.TenantID), Since: deref(p.Since), Until: deref(p.Until),
	}
}

func showAudit(r audit.Record) api.AuditEntry {
	return api.AuditEntry{
		ID:         r.ID,
		At:         r.At.UTC(),
		ActorKind:  api.AuditActorKind(r.Actor.Kind),
		Actor:      r.Actor.Name,
		APIKeyID:   orNull(r.Actor.APIKeyID, r.Actor.APIKeyID != uuid.Nil),
		IP:         orNull(r.Actor.IP, r.Actor.IP != ""),
		RequestID:  orNull(r.Actor.RequestID, r.Actor.RequestID != ""),
		Action:     api.AuditAction(r.Action),
		TargetKind: r.TargetKind,
		TargetID:   r.TargetID,
		SuiteID:    orNull(r.SuiteID, r.SuiteID != ""),
		TenantID:   orNull(r.TenantID, r.TenantID != uuid.Nil),
		Before:     auditFields(r.Before),
		After:      auditFields(r.After),
	}
}

// auditFields reads what jsonb keeps. A number stays as it is written: an agent's
// may have more digits than a float64.
func auditFields(raw json.RawMessage) nullable.Nullable[api.AuditFields] {
	if raw == nil {
		return nullable.NewNullNullable[api.AuditFields]()
	}
	fields := api.AuditFields{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	_ = dec.Decode(&fields) // jsonb is JSON, and Append writes objects
	return nullable.NewNullableWithValue(fields)
}
