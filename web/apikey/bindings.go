package apikey

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
	"suitesign/wecom"
)

// checkBindings makes sure that what a key is to be bound to is there, and within
// what its maker is bound to. Who is bound learns nothing about what is not.
func checkBindings(ctx context.Context, tx pgx.Tx, by, to Grant) error {
	if by.Bound() && !to.Bound() {
		return &BindingError{Field: "suite_ids"}
	}
	rows, err := tx.Query(ctx, `SELECT suite_id FROM suites WHERE suite_id = ANY($1)`, orEmpty(to.SuiteIDs))
	if err != nil {
		return err
	}
	suites := map[wecom.SuiteID]bool{}
	var suite wecom.SuiteID
	if _, err := pgx.ForEachRow(rows, []any{&suite}, func() error {
		suites[suite] = by.Reaches(suite, uuid.Nil)
		return nil
	}); err != nil {
		return err
	}
	for i, id := range to.SuiteIDs {
		if !suites[id] {
			return &BindingError{Field: "suite_ids", Index: i}
		}
	}
	rows, err = tx.Query(ctx, `SELECT id, suite_id FROM tenants WHERE id = ANY($1)`, orEmpty(to.TenantIDs))
	if err != nil {
		return err
	}
	tenants := map[uuid.UUID]bool{}
	var tenant uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&tenant, &suite}, func() error {
		tenants[tenant] = by.Reaches(suite, tenant)
		return nil
	}); err != nil {
		return err
	}
	for i, id := range to.TenantIDs {
		if !tenants[id] {
			return &BindingError{Field: "tenant_ids", Index: i}
		}
	}
	return nil
}

// CanBind tells whether a bound key would be held within its bounds. reach.ErrUnprotected.
func (s *Store) CanBind(ctx context.Context) error {
	if _, bound := reach.Of(ctx); bound {
		return nil // its own requests are
	}
	_, err := s.Pool.Exec(reach.With(ctx, reach.Bounds{}), `SELECT`)
	return err
}

func orEmpty[T any](ids []T) []T {
	if ids == nil {
		return []T{}
	}
	return ids
}
