package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit"
	"suitesign/changes"
	"suitesign/secret"
	"suitesign/suite"
	"suitesign/ticket"
	"suitesign/web/apikey"
	"suitesign/web/webhook"
)

// restoredCmd is told that the database is of an earlier moment than the world. It
// restores nothing: that is PostgreSQL's business, and over by then.
type restoredCmd struct {
	Yes   bool `help:"Do it: until WeCom has been asked for its corp again no page gets a signature."`
	Batch int  `help:"Tenants in one statement." default:"1000"`
}

// Run forgets what may be true no longer, and tells what nobody can find out from here.
func (r restoredCmd) Run(ctx context.Context, c *cli) error {
	if !r.Yes {
		return errors.New("restored is for a database that was restored from an older backup: every tenant's tokens and tickets are forgotten " +
			"and fetched anew, and until then its pages get no signature; say --yes to do it")
	}
	if r.Batch < 1 {
		return fmt.Errorf("--batch is %d: use 1 or more", r.Batch)
	}
	config, err := loadConfig(c.Config, os.Environ())
	if err != nil {
		return err
	}
	pool, master, err := c.openKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := secret.Load(ctx, pool, master); err != nil { // the backup's keyset may be of another master key
		return err
	}
	did, err := distrust(ctx, pool, r.Batch)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Not all of it was done; run it again.")
		return err
	}
	refresher := &ticket.Refresher{Pool: pool, Limits: config.Refresh.limits(), Egress: config.Refresh.Egress}
	backlog, err := refresher.Backlog(ctx)
	if err != nil {
		return err
	}
	did.print(backlog)
	return tellWhatIsLost(ctx, pool)
}

// distrusted is what was forgotten.
type distrusted struct {
	suite.Distrusted
	tenants int64
}

// distrust forgets, and then tells replicas that run to forget what they hold. Those
// should be down; one that is not signs from memory until it hears of this.
func distrust(ctx context.Context, pool *pgxpool.Pool, batch int) (d distrusted, err error) {
	if d.tenants, err = ticket.Distrust(ctx, pool, batch); err != nil {
		return d, err
	}
	if d.Distrusted, err = suite.Distrust(ctx, pool, batch); err != nil {
		return d, err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		e := audit.Entry{Action: audit.DatabaseRestore, TargetID: "database", After: audit.Fields{
			"tenants": d.tenants, "suites": d.Suites, "suite_tickets": d.SuiteTickets, "authorizations": d.Authorizations,
		}}
		if err := audit.Append(ctx, tx, e); err != nil {
			return err
		}
		return changes.Append(ctx, tx, changes.Everything, "")
	})
	return d, err
}

func (d distrusted) print(b ticket.Backlog) {
	fmt.Printf("Forgot the tokens and tickets of %d tenants, the suite_access_tokens of %d suites, and %d suite_tickets older than 30 minutes.\n",
		d.tenants, d.Suites, d.SuiteTickets)
	fmt.Printf("A tenant signs again when WeCom has granted it new ones: %d are due, which the limits allow in about %s; %d idle ones follow when a page asks.\n",
		b.Due, b.ETA.Round(time.Second), b.Idle)
	fmt.Printf("%d authorizations are read again by and by. Start `suitesign serve`.\n", d.Authorizations)
}

// tellWhatIsLost names what has happened since the backup and is not in it.
func tellWhatIsLost(ctx context.Context, pool *pgxpool.Pool) error {
	keys, err := (&apikey.Store{Pool: pool}).Valid(ctx)
	if err != nil {
		return err
	}
	events, err := (&webhook.Store{Pool: pool}).Undelivered(ctx)
	if err != nil {
		return err
	}
	fmt.Printf(`
What happened since the backup is not in this database. Look at:
  API keys       %d are valid. Those that were revoked since are among them: suitesign apikey list, suitesign apikey revoke ID.
  Admins         Tenants that were switched off, domains and aliases that were removed, secrets and callback keys that were
                 replaced since are as they were. Exports of the audit log tell which.
  Corps          Those that installed since are unknown and install again. Those that cancelled, or installed again, turn up
                 within the time above: GET /v1/tenants?health=needs_reauthorization
  suite_tickets  A suite without one waits for WeCom's next push, ten minutes at most, or the refresh button of the provider's console.
  Webhooks       %d events wait. Some were delivered before: they come again with the same webhook-id.
`, keys, events)
	return nil
}
