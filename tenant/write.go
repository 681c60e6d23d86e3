package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/changes"
)

// Activate notes that a corp has authorized a suite: it makes the tenant, or
// authorizes the one there is again. That one keeps its id, its domains and its
// switch; a corp_id that is known as an alias activates the tenant behind it. The
// answer is ErrCancelled, with nothing changed, if WeCom cancelled the
// authorization after AuthorizedAt: then what is being activated is the past.
// Activating twice is activating once.
func (s *Store) Activate(ctx context.Context, a Activation) (Tenant, error) {
	if err := CheckCorpID(a.CorpID); err != nil {
		return Tenant{}, err
	}
	id, err := s.activate(ctx, a)
	if errors.Is(err, ErrConflict) {
		id, err = s.activate(ctx, a) // a tenant or an alias of this corp_id came in between: now it is found
	}
	if err != nil {
		return Tenant{}, fmt.Errorf("activate %s %s: %w", a.SuiteID, a.CorpID, err)
	}
	return s.Get(ctx, id)
}

// authorizedAt is the parameter $2 in whole seconds, as the platform tells the
// time of a cancellation that is compared with it, and not far in the future,
// where no cancellation would reach it.
const authorizedAt = `date_trunc('second', LEAST($2::timestamptz, now() + interval '10 minutes'))`

func (s *Store) activate(ctx context.Context, a Activation) (id uuid.UUID, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var before audited
		const find = `SELECT tenant_id FROM tenant_corp_ids WHERE suite_id = $1 AND corp_id = $2`
		err := tx.QueryRow(ctx, find, a.SuiteID, a.CorpID).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			id, err = insert(ctx, tx, a)
		} else if err == nil {
			before, err = reactivate(ctx, tx, id, a)
		}
		if err != nil {
			return err
		}
		if err := logActivation(ctx, tx, id, before, a.Action); err != nil {
			return err
		}
		if err := emitAuthorized(ctx, tx, id, before); err != nil {
			return err
		}
		if err := changes.Append(ctx, tx, changes.NewTenant, string(a.SuiteID)+"/"+string(a.CorpID)); err != nil {
			return err
		}
		return announce(ctx, tx, id)
	})
	return id, err
}

func insert(ctx context.Context, tx pgx.Tx, a Activation) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	const tenant = `
		INSERT INTO tenants (id, authorized_at, suite_id, corp_id, name)
		VALUES ($1, ` + authorizedAt + `, $3, $4, $5)`
	_, err = tx.Exec(ctx, tenant, id, a.AuthorizedAt, a.SuiteID, a.CorpID, cut(a.Name, maxName))
	if err == nil {
		const corpID = `INSERT INTO tenant_corp_ids (suite_id, corp_id, tenant_id, is_alias) VALUES ($1, $2, $3, false)`
		_, err = tx.Exec(ctx, corpID, a.SuiteID, a.CorpID, id)
	}
	switch {
	case violates(err, uniqueViolation):
		return uuid.Nil, ErrConflict
	case violates(err, foreignKeyViolation):
		return uuid.Nil, fmt.Errorf("suite: %w", ErrNotFound)
	}
	return id, err
}

// reactivate answers with the row before.
func reactivate(ctx context.Context, tx pgx.Tx, id uuid.UUID, a Activation) (audited, error) {
	before, err := readAudited(ctx, tx, id, toChange)
	if err != nil {
		return before, err
	}
	const q = `
		UPDATE tenants
		SET authorized = true, cancelled_at = NULL,
		    authorized_at = GREATEST(authorized_at, ` + authorizedAt + `),
		    name = CASE WHEN $3 = '' THEN name ELSE $3 END,
		    health = CASE WHEN authorized THEN health ELSE 'pending' END,
		    last_error = CASE WHEN authorized THEN last_error ELSE '' END,
		    last_errcode = CASE WHEN authorized THEN last_errcode END,
		    last_error_at = CASE WHEN authorized THEN last_error_at END,
		    version = version + 1, updated_at = now()
		WHERE id = $1 AND (authorized OR cancelled_at <= ` + authorizedAt + `)`
	tag, err := tx.Exec(ctx, q, id, a.AuthorizedAt, cut(a.Name, maxName))
	if err == nil && tag.RowsAffected() == 0 {
		return before, ErrCancelled
	}
	return before, err
}

// Cancel ends an authorization on WeCom's word of the time at, and reports
// whether it is ended: an authorization that is younger than the word stands. It
// writes even when the tenant is cancelled already, so that an acknowledgement
// that follows waits until the first write is durable, too.
func (s *Store) Cancel(ctx context.Context, id uuid.UUID, at time.Time) (cancelled bool, err error) {
	ctx = audit.AsWeCom(ctx)
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		before, err := readAudited(ctx, tx, id, toChange)
		if err != nil {
			return err
		}
		// A word that is ahead of the database's clock counts as now: it must not
		// outlast a re-install that follows it.
		const q = `
			UPDATE tenants
			SET authorized = false,
			    cancelled_at = GREATEST(cancelled_at, LEAST($2::timestamptz, now())),
			    version = CASE WHEN authorized THEN version + 1 ELSE version END, updated_at = now()
			WHERE id = $1 AND authorized_at <= $2::timestamptz`
		tag, err := tx.Exec(ctx, q, id, at)
		if err != nil {
			return err
		}
		if cancelled = tag.RowsAffected() > 0; !cancelled {
			return nil
		}
		after := before
		after.status, after.authorized = Cancelled, false
		if err := before.log(ctx, tx, audit.TenantCancel, id, before.fields(), after.fields()); err != nil {
			return err
		}
		if before.authorized {
			if err := before.emitCancelled(ctx, tx, id, byWeCom); err != nil {
				return err
			}
		}
		return announce(ctx, tx, id)
	})
	if err != nil {
		return false, fmt.Errorf("cancel tenant %s: %w", id, err)
	}
	return cancelled, nil
}

// SetDisabled is the admin's switch. A cancelled tenant cannot be switched on
// (ErrCancelled); it can be switched off, for the day when WeCom authorizes it
// again. ifVersion, unless nil, is the version that the caller has seen.
func (s *Store) SetDisabled(ctx context.Context, id uuid.UUID, disabled bool, ifVersion *int64) (Tenant, error) {
	return s.update(ctx, id, Update{Disabled: &disabled}, ifVersion)
}

// Rename gives the tenant another name; pages never see it.
func (s *Store) Rename(ctx context.Context, id uuid.UUID, name string, ifVersion *int64) (Tenant, error) {
	return s.update(ctx, id, Update{Name: &name}, ifVersion)
}

// An Update is what an admin changes of a tenant at once; nil leaves as it is.
type Update struct {
	Disabled *bool
	Name     *string
	Beside   bool // something beside the row is changed, too: the version counts it
}

// Update applies an admin's changes to a tenant, all or none of them.
func (s *Store) Update(ctx context.Context, id uuid.UUID, u Update, ifVersion *int64) (Tenant, error) {
	return s.update(ctx, id, u, ifVersion)
}

func (s *Store) update(ctx context.Context, id uuid.UUID, u Update, ifVersion *int64) (Tenant, error) {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		before, err := readAudited(ctx, tx, id, toChange)
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != before.version {
			return ErrVersion
		}
		switched := u.Disabled != nil && *u.Disabled != before.disabled
		if u.Disabled != nil && !*u.Disabled && !before.authorized {
			return ErrCancelled
		}
		disabled, name := or(u.Disabled, before.disabled), cut(or(u.Name, before.name), maxName)
		const q = `
			UPDATE tenants SET disabled = $2, name = $3, version = version + 1, updated_at = now()
			WHERE id = $1 AND ($4 OR (disabled, name) IS DISTINCT FROM ($2, $3))`
		if _, err := tx.Exec(ctx, q, id, disabled, name, u.Beside); err != nil {
			return err
		}
		if err := before.logUpdate(ctx, tx, id); err != nil {
			return err
		}
		if err := emitChanged(ctx, tx, id, before.differs(disabled, name)...); err != nil {
			return err
		}
		if switched {
			return announce(ctx, tx, id)
		}
		return nil
	})
	if err != nil {
		return Tenant{}, fmt.Errorf("update tenant %s: %w", id, err)
	}
	return s.Get(ctx, id)
}

// Delete removes a tenant with all that hangs off it.
func (s *Store) Delete(ctx context.Context, id uuid.UUID, ifVersion *int64) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		gone, err := readAudited(ctx, tx, id, toRemove)
		if err != nil {
			return err
		}
		if ifVersion != nil && *ifVersion != gone.version {
			return ErrVersion
		}
		if err := gone.log(ctx, tx, audit.TenantDelete, id, gone.fields(), nil); err != nil {
			return err
		}
		if err := gone.emitCancelled(ctx, tx, id, byAdmin); err != nil {
			return err
		}
		if err := announce(ctx, tx, id); err != nil {
			return err
		}
		if err := changes.Append(ctx, tx, changes.NewTenant, string(gone.suite)+"/"+string(gone.corp)); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM tenants WHERE id = $1`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("delete tenant %s: %w", id, err)
	}
	return nil
}

// or is what p points to, or another value where it points to nothing.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// maxHosts is how many hosts are announced one by one.
const maxHosts = 16

// announce tells the replicas that a tenant came, went or changed its status: to
// forget what they hold of it, and which pages led to it or did not.
func announce(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	const q = `
		SELECT d.host FROM tenant_domains d WHERE d.tenant_id = $1
		UNION
		SELECT d.host FROM suite_domains d JOIN tenants t USING (suite_id) WHERE t.id = $1
		LIMIT $2`
	rows, err := tx.Query(ctx, q, id, maxHosts+1)
	if err != nil {
		return err
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if len(hosts) > maxHosts {
		hosts = []string{""} // any host
	}
	for _, h := range hosts {
		if err := changes.Append(ctx, tx, changes.Hosts, h); err != nil {
			return err
		}
	}
	return changes.Append(ctx, tx, changes.Tenant, id.String())
}
