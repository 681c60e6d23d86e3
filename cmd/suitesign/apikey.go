package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/reach"
	"suitesign/web/apikey"
	"suitesign/wecom"
)

type apikeyCmd struct {
	Create apikeyCreateCmd `cmd:"" help:"Make a key. Its value is printed once and never again."`
	List   apikeyListCmd   `cmd:"" help:"List the keys; never a value."`
	Revoke apikeyRevokeCmd `cmd:"" help:"Refuse a key from now on."`
}

type apikeyCreateCmd struct {
	Name    string         `arg:"" help:"What the key is for."`
	Scope   []string       `help:"What the key may do: '*', or an area with ':read' or ':write', like tenants:read. May be repeated. Without it, everything." placeholder:"AREA:ACTION"`
	Suite   []string       `help:"Bind the key to this suite and its tenants. May be repeated. Without --suite and --tenant it is bound to nothing." placeholder:"SUITE_ID"`
	Tenant  []uuid.UUID    `help:"Bind the key to this tenant. May be repeated." placeholder:"TENANT_ID"`
	Expires *time.Duration `help:"End of the key, from now, like 2160h. Without it the key does not expire."`
}

// goodKeyName is the rule of the admin API.
var goodKeyName = regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,100}$`)

// Run makes a key. The value goes to stdout alone, so that it can be piped.
func (a apikeyCreateCmd) Run(ctx context.Context, c *cli) error {
	if !goodKeyName.MatchString(a.Name) {
		return errors.New("the name of a key is text of 1 to 100 characters")
	}
	grant, err := a.grant()
	if err != nil {
		return err
	}
	var expires *time.Time
	if a.Expires != nil {
		if *a.Expires <= 0 {
			return errors.New("--expires is a time from now on, like 2160h")
		}
		at := time.Now().Add(*a.Expires)
		expires = &at
	}
	pool, err := c.openAPIKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	store := &apikey.Store{Pool: reach.Narrow(pool)}
	if grant.Bound() {
		if err := store.CanBind(ctx); err != nil {
			return fmt.Errorf("%w: run `suitesign migrate up`, which puts it in place or prints what to run", err)
		}
	}
	key, value, err := store.Create(ctx, apikey.Full(), apikey.New{Name: a.Name, Grant: grant, ExpiresAt: expires})
	var unknown *apikey.BindingError
	if errors.As(err, &unknown) {
		if unknown.Field == "suite_ids" {
			return fmt.Errorf("--suite %s: there is no such suite", grant.SuiteIDs[unknown.Index])
		}
		return fmt.Errorf("--tenant %s: there is no such tenant", grant.TenantIDs[unknown.Index])
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Made key %s (%s). This is the only time its value is shown:\n", key.ID, key.Name)
	fmt.Println(value.Reveal())
	return nil
}

// grant is what the key may do.
func (a apikeyCreateCmd) grant() (apikey.Grant, error) {
	g := apikey.Grant{TenantIDs: a.Tenant}
	for _, id := range a.Suite {
		g.SuiteIDs = append(g.SuiteIDs, wecom.SuiteID(id))
	}
	if len(a.Scope) == 0 {
		g.Scopes = apikey.Full().Scopes
	}
	for _, text := range a.Scope {
		scope := apikey.Scope(text)
		if !scope.Known() {
			return g, fmt.Errorf("--scope %q is none; there are: %s", text, strings.Join(texts(apikey.Scopes()), " "))
		}
		g.Scopes = append(g.Scopes, scope)
	}
	return g, nil
}

// boundTo names what a key is bound to.
func boundTo(g apikey.Grant) string {
	ids := texts(g.SuiteIDs)
	for _, id := range g.TenantIDs {
		ids = append(ids, id.String())
	}
	if len(ids) == 0 {
		return "-"
	}
	return strings.Join(ids, ",")
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

type apikeyListCmd struct{}

// Run lists every key, newest first.
func (apikeyListCmd) Run(ctx context.Context, c *cli) error {
	pool, err := c.openAPIKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	store := &apikey.Store{Pool: pool}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tPREFIX\tNAME\tSCOPES\tBOUND TO\tSTATE\tLAST USED")
	before := uuid.Max
	const page = 200
	for {
		keys, err := store.List(ctx, before, page)
		if err != nil {
			return err
		}
		for _, k := range keys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Prefix, k.Name, strings.Join(texts(k.Scopes), ","), boundTo(k.Grant), keyState(k), moment(k.LastUsedAt))
			before = k.ID
		}
		if len(keys) < page {
			return w.Flush()
		}
	}
}

type apikeyRevokeCmd struct {
	ID uuid.UUID `arg:"" help:"The key's id, as listed."`
}

// Run revokes a key.
func (a apikeyRevokeCmd) Run(ctx context.Context, c *cli) error {
	pool, err := c.openAPIKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := (&apikey.Store{Pool: pool}).Revoke(ctx, a.ID, nil); err != nil {
		return err
	}
	fmt.Printf("Revoked %s. Every replica refuses it within two seconds.\n", a.ID)
	return nil
}

// openAPIKeys opens the database: keys are stored hashed, so no master key is needed.
func (c *cli) openAPIKeys(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := c.databaseOnly()
	if err != nil {
		return nil, err
	}
	return openSchema(ctx, config)
}

func keyState(k apikey.Key) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked " + moment(k.RevokedAt)
	case k.ExpiresAt != nil && k.ExpiresAt.Before(time.Now()):
		return "expired " + moment(k.ExpiresAt)
	case k.ExpiresAt != nil:
		return "active until " + moment(k.ExpiresAt)
	}
	return "active"
}

func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
