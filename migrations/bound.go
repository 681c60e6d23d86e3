package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// boundRole is the role of package reach, whose policies stand in row_security.
const boundRole = "suitesign_bound"

// boundGrants is what the role may do at all; the policies say with which rows. A
// table that is not here is closed to it.
var boundGrants = []struct{ privileges, table string }{
	{"SELECT, UPDATE, DELETE", "suites"}, // who is bound to a suite makes no other
	{"SELECT", "suite_tickets"},
	{"SELECT, UPDATE", "suite_tokens"},
	{"SELECT, INSERT, UPDATE, DELETE", "suite_domains"},
	{"SELECT, INSERT, UPDATE, DELETE", "tenants"},
	{"SELECT, INSERT, UPDATE, DELETE", "tenant_corp_ids"},
	{"SELECT, INSERT, UPDATE, DELETE", "tenant_domains"},
	{"SELECT, INSERT, UPDATE, DELETE", "agents"},
	{"SELECT, INSERT, UPDATE", "authorizations"},
	{"SELECT", "credentials"},
	{"SELECT", "refreshes"},
	{"SELECT, UPDATE", "callback_events"},
	{"SELECT, UPDATE", "exchanges"},
	{"SELECT, INSERT, UPDATE", "api_keys"},
	{"SELECT, INSERT", "audit_log"},
	{"SELECT", "page_reports"},
}

// BoundRoleSQL is what an administrator of the database runs where `migrate up` may
// not make the role: login is the role that the service logs in as.
func BoundRoleSQL(login string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE ROLE %s NOLOGIN;\nGRANT %s TO %s;\n", boundRole, boundRole, pgx.Identifier{login}.Sanitize())
	for _, g := range boundGrants {
		fmt.Fprintf(&b, "GRANT %s ON %s TO %s;\n", g.privileges, g.table, boundRole)
	}
	return b.String()
}

// BoundRole tells whether API keys that are bound to suites or tenants are
// protected: whether the role is there and may be taken. If not, refusal says why
// in PostgreSQL's words, and login names the role that lacks it.
func BoundRole(ctx context.Context, url string) (login string, refusal error, err error) {
	conn, err := connect(ctx, url)
	if err != nil {
		return "", nil, err
	}
	defer closeConn(ctx, conn)
	if err := conn.QueryRow(ctx, `SELECT current_user`).Scan(&login); err != nil {
		return "", nil, fmt.Errorf("role for bound keys: %w", err)
	}
	refusal, err = tryBoundRole(ctx, conn)
	return login, refusal, err
}

// tryBoundRole takes the role and reads under it what every bound request reads.
func tryBoundRole(ctx context.Context, conn *pgx.Conn) (refusal, err error) {
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL ROLE `+boundRole); err != nil {
			return err
		}
		var active bool
		if err := tx.QueryRow(ctx, `SELECT row_security_active('tenants') FROM (SELECT count(*) FROM tenants) AS n`).Scan(&active); err != nil {
			return err
		}
		if !active {
			refusal = fmt.Errorf("the role %s bypasses row-level security", boundRole)
		}
		return nil
	})
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		return pgErr, nil
	}
	if err != nil {
		return nil, fmt.Errorf("role for bound keys: %w", err)
	}
	return refusal, nil
}

// ensureBoundRole makes the role, lets ourselves take it, and grants it what it may
// do. A role belongs to the whole server: another database's migration may make
// it at the same moment, and it may have been there for long. Where we may not, the schema is
// good all the same; BoundRole tells what is missing.
func ensureBoundRole(ctx context.Context, conn *pgx.Conn) error {
	for try := 1; ; try++ {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return grantBoundRole(ctx, tx) })
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &pgErr):
			return fmt.Errorf("role for bound keys: %w", err)
		case pgErr.Code == insufficientPrivilege:
			return nil
		case !raced(pgErr) || try == boundTries:
			return fmt.Errorf("role for bound keys: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("role for bound keys: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

const (
	insufficientPrivilege = "42501"
	boundTries            = 20
)

// raced tells the errors of two that make or grant the same role at once.
func raced(e *pgconn.PgError) bool {
	switch e.Code {
	case "42710", "23505": // duplicate_object, and the unique index behind it
		return true
	case "XX000": // "tuple concurrently updated"
		return strings.Contains(e.Message, "concurrently")
	}
	return e.Code == lockNotAvailable || e.Code == "40P01" // deadlock_detected
}

func grantBoundRole(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, boundRole).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := tx.Exec(ctx, `CREATE ROLE `+boundRole+` NOLOGIN`); err != nil {
			return err
		}
	}
	if err := grantMembership(ctx, tx); err != nil {
		return err
	}
	for _, g := range boundGrants {
		var missing bool // granting anew what is granted would write the catalog at every start
		const q = `SELECT to_regclass($2) IS NOT NULL AND NOT COALESCE((
			SELECT bool_and(has_table_privilege($1, to_regclass($2), p)) FROM unnest(string_to_array($3, ', ')) AS p), false)`
		if err := tx.QueryRow(ctx, q, boundRole, g.table, g.privileges).Scan(&missing); err != nil {
			return err
		}
		if !missing {
			continue
		}
		if _, err := tx.Exec(ctx, `GRANT `+g.privileges+` ON `+g.table+` TO `+boundRole); err != nil {
			return err
		}
	}
	return nil
}

// grantMembership lets the role that migrates take the role. Who made it is its
// administrator, which from PostgreSQL 16 on does not mean that they may take it; so it is tried.
func grantMembership(ctx context.Context, tx pgx.Tx) error {
	err := pgx.BeginFunc(ctx, tx, func(try pgx.Tx) error { // a savepoint: the role is not kept
		_, err := try.Exec(ctx, `SET LOCAL ROLE `+boundRole)
		return errors.Join(err, errUndo)
	})
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		if errors.Is(err, errUndo) {
			return nil
		}
		return err
	}
	_, err = tx.Exec(ctx, `GRANT `+boundRole+` TO CURRENT_USER`)
	return err
}

var errUndo = errors.New("undo")
