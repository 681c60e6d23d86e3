package suite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/audit"
	"suitesign/tenant"
	"suitesign/wecom"
)

// A pull reads what an authorization is at the moment, for the agents in it: after
// an exchange, and after every change_auth. Whatever changed is not told, so all
// of it is read again and replaced (protocol.md 6, P10).
type pull struct {
	Authorization
	dueAt    time.Time
	attempts int
	lease    lease
}

// claimPulls leases up to limit pulls that are due, or the one of a tenant.
func (s *Store) claimPulls(ctx context.Context, id *uuid.UUID, limit int) ([]pull, error) {
	const q = `
WITH due AS MATERIALIZED (
	SELECT tenant_id FROM authorizations
	WHERE info_due_at <= now() AND (lease_until IS NULL OR lease_until <= now()) AND ($1::uuid IS NULL OR tenant_id = $1)
		AND blocked_version IS DISTINCT FROM version
	ORDER BY info_due_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE authorizations a SET lease_owner = gen_random_uuid(), lease_until = now() + $3::interval, info_attempts = a.info_attempts + 1
FROM due, suites s WHERE a.tenant_id = due.tenant_id AND s.suite_id = a.suite_id
RETURNING ` + authorizationColumns + `, a.info_due_at, a.info_attempts, a.lease_owner`
	rows, err := s.Pool.Query(ctx, q, id, limit, leaseFor)
	if err != nil {
		return nil, fmt.Errorf("claim pulls: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (pull, error) {
		var p pull
		err := s.scanAuthorization(row, &p.Authorization, &p.dueAt, &p.attempts, &p.lease)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim pulls: %w", err)
	}
	return list, nil
}

// Reread has a tenant's authorization read again, as after a change_auth: its agents are
// replaced by those that WeCom names, and one that is gone is found. One that is
// due already, refused, or of an internal suite stays as it is.
func (s *Store) Reread(ctx context.Context, tenantID uuid.UUID) error {
	const q = `
UPDATE authorizations a SET info_due_at = clock_timestamp(), info_attempts = 0
FROM suites s WHERE s.suite_id = a.suite_id AND s.kind <> 'internal' AND a.tenant_id = $1
	AND a.info_due_at IS NULL AND a.blocked_version IS DISTINCT FROM a.version`
	if _, err := s.Pool.Exec(ctx, q, tenantID); err != nil {
		return fmt.Errorf("read the authorization of tenant %s again: %w", tenantID, err)
	}
	return nil
}

// pullNow pulls a tenant's agents at once, if nobody is at it. What fails is due
// again by its row.
func (e *Exchanger) pullNow(ctx context.Context, id uuid.UUID) {
	list, err := e.Store.claimPulls(ctx, &id, 1)
	if err == nil && len(list) == 1 {
		err = e.pull(ctx, list[0])
	}
	if err != nil {
		e.log().WarnContext(ctx, "agents not pulled yet", "tenant_id", id, "error", err)
	}
}

// pull does one pull under its lease. A failure is written down before it is returned.
func (e *Exchanger) pull(ctx context.Context, p pull) error {
	ctx, cancel := context.WithTimeout(ctx, attemptFor)
	defer cancel()
	agents, known, err := e.agents(ctx, p)
	if err == nil && known {
		err = e.Store.Tenants.ReplaceAgents(audit.AsWeCom(ctx), p.TenantID, agents)
	}
	if errors.Is(err, tenant.ErrNotFound) {
		return nil // deleted meanwhile, and its authorization with it
	}
	save, stop := context.WithTimeout(context.WithoutCancel(ctx), saveFor) // the lease is given back in any case
	defer stop()
	if err == nil {
		return e.Store.endPull(save, p, 0, nil)
	}
	return fmt.Errorf("agents of tenant %s: %w", p.TenantID, errors.Join(err, e.pullFailed(save, p, err)))
}

// pullFailed decides what a failed pull leads to.
func (e *Exchanger) pullFailed(ctx context.Context, p pull, why error) error {
	wait := retryIn(p.attempts)
	switch class := wecom.Classify(why); {
	case errors.Is(why, ErrNoSuiteTicket), errors.Is(why, ErrSuiteBlocked), errors.Is(why, ErrSuiteUnavailable):
		wait = retrySoon(p.attempts)
	case errors.Is(why, context.Canceled):
		wait = 0
	case class == wecom.ClassUnauthorized, secretRefused(why):
		if err := e.refuse(ctx, p.Authorization, why); err != nil {
			return err
		}
		return e.Store.endPull(ctx, p, never, why)
	case class == wecom.ClassIP:
		if err := e.Tokens.BlockIP(ctx, p.SuiteID, why); err != nil {
			return err
		}
	}
	return e.Store.endPull(ctx, p, wait, why)
}

// secretRefused reports that the permanent_code of a customised app, which is its
// secret, was refused where it was sent as such.
func secretRefused(err error) bool {
	var refused *wecom.Error
	return errors.As(err, &refused) && refused.API == wecom.APIAppToken && refused.Class() == wecom.ClassSecret
}

// refuse opens the breaker of an authorization that the platform refused, and
// says so where admins see it.
func (e *Exchanger) refuse(ctx context.Context, a Authorization, why error) error {
	blocked, err := e.Store.Block(ctx, a.TenantID, a.Version)
	if err != nil || !blocked {
		return err
	}
	code, text := failure(why)
	return e.Store.Tenants.SetHealth(ctx, []tenant.HealthChange{{
		TenantID: a.TenantID, Health: tenant.NeedsReauthorization, Errcode: or(code, 0), Error: text,
	}})
}

// never, as a wait, is for what another code or Unblock makes due.
const never time.Duration = -1

// endPull gives the lease back. What became due again during the pull stays due.
func (s *Store) endPull(ctx context.Context, p pull, wait time.Duration, why error) error {
	const q = `
UPDATE authorizations SET lease_owner = NULL, lease_until = NULL, info_error = $4,
	info_attempts = CASE WHEN $5 THEN 0 ELSE info_attempts END,
	info_due_at = CASE WHEN info_due_at <> $3 THEN info_due_at WHEN $6::interval < interval '0' OR $5 THEN NULL ELSE now() + $6::interval END
WHERE tenant_id = $1 AND lease_owner = $2`
	_, text := failure(why)
	if _, err := s.Pool.Exec(ctx, q, p.TenantID, p.lease, p.dueAt, text, why == nil, wait); err != nil {
		return fmt.Errorf("end pull: %w", err)
	}
	return nil
}

// untold are the classes of refusals that say: not for this app, now or later.
var untold = []wecom.Class{wecom.ClassPermission, wecom.ClassAppState, wecom.ClassConfig}

// agents asks the platform. Where get_auth_info names no agent, as for customised
// apps it may, the app's own token sees it. It reports false where neither tells:
// what is stored stays then.
func (e *Exchanger) agents(ctx context.Context, p pull) ([]tenant.Agent, bool, error) {
	info, err := withToken(ctx, e.Tokens, p.SuiteID, func(t wecom.SuiteAccessToken) (wecom.AuthInfo, error) {
		return e.WeCom.AuthInfo(ctx, t, p.CorpID, p.PermanentCode)
	})
	if err != nil {
		return nil, false, err
	}
	if len(info.Agents) > 0 {
		agents := make([]tenant.Agent, len(info.Agents))
		for i, a := range info.Agents {
			agents[i] = tenant.Agent{ID: a.AgentID, Name: a.Name, AuthMode: a.AuthMode}
		}
		return agents, true, nil
	}
	list, err := e.agentList(ctx, p)
	if err != nil {
		if slices.Contains(untold, wecom.Classify(err)) {
			err = nil
		}
		return nil, false, err
	}
	agents := make([]tenant.Agent, len(list))
	for i, a := range list {
		agents[i] = tenant.Agent{ID: a.AgentID, Name: a.Name}
	}
	return agents, true, nil
}

func (e *Exchanger) agentList(ctx context.Context, p pull) ([]wecom.Agent, error) {
	if e.Charge != nil {
		ok, err := e.Charge(ctx, p.TenantID)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errAddressSpent
		}
	}
	var g wecom.Grant[wecom.AccessToken]
	var err error
	if p.Kind == Customized {
		g, err = e.WeCom.AppToken(ctx, p.CorpID, p.PermanentCode)
	} else {
		g, err = withToken(ctx, e.Tokens, p.SuiteID, func(t wecom.SuiteAccessToken) (wecom.Grant[wecom.AccessToken], error) {
			return e.WeCom.CorpToken(ctx, t, p.CorpID, p.PermanentCode)
		})
	}
	if err != nil {
		return nil, err
	}
	return e.WeCom.AgentList(ctx, g.Value)
}

// withToken makes a call with the suite's token, and if that is refused once more
// with a fresh one.
func withToken[T any](ctx context.Context, ts *Tokens, id wecom.SuiteID, call func(wecom.SuiteAccessToken) (T, error)) (T, error) {
	var zero T
	token, err := ts.Token(ctx, id)
	if err != nil {
		return zero, err
	}
	out, err := call(token)
	if wecom.Classify(err) != wecom.ClassStaleSuiteToken {
		return out, err
	}
	if err := ts.Invalidate(ctx, id, token); err != nil {
		return zero, err
	}
	if token, err = ts.Token(ctx, id); err != nil {
		return zero, err
	}
	return call(token)
}

func (e *Exchanger) log() *slog.Logger {
	if e.Log != nil {
		return e.Log
	}
	return slog.Default()
}
