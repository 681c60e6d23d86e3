package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"suitesign/migrations"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring the schema to this version. Safe to repeat, and with replicas running."`
	Down   migrateDownCmd   `cmd:"" help:"Take migrations back. Data in what they made is lost."`
	Status migrateStatusCmd `cmd:"" help:"Tell where the schema is and what is pending; ends 0 when serve would start."`
}

type migrateUpCmd struct{}

// Run migrates up.
func (migrateUpCmd) Run(ctx context.Context, c *cli) error {
	config, err := c.databaseOnly()
	if err != nil {
		return err
	}
	url := config.DatabaseURL.Reveal()
	if err := migrations.Up(ctx, url); err != nil {
		return err
	}
	if err := tellOfBoundRole(ctx, url); err != nil {
		return err
	}
	return (migrateStatusCmd{}).Run(ctx, c)
}

// tellOfBoundRole prints what an administrator has to run where this role may not.
func tellOfBoundRole(ctx context.Context, url string) error {
	login, refusal, err := migrations.BoundRole(ctx, url)
	if err != nil || refusal == nil {
		return err
	}
	fmt.Fprintf(os.Stderr, `API keys that are bound to suites or tenants are refused for now: row-level security needs a role
that %s could not make or take (%v). Nothing else is missing. To allow bound keys, an administrator of the
database runs this once, with the role that the service logs in as in place of %[1]s if that is another:

%[3]s
`, login, refusal, migrations.BoundRoleSQL(login))
	return nil
}

type migrateDownCmd struct {
	Steps int  `help:"How many migrations to take back." default:"1"`
	All   bool `help:"Take the whole schema away, with all that is stored in it."`
	Yes   bool `help:"Do it: data is lost."`
}

// Run migrates down, only when told twice.
func (d migrateDownCmd) Run(ctx context.Context, c *cli) error {
	if !d.Yes {
		return errors.New("migrate down loses the data of the tables it drops; say --yes to do it")
	}
	config, err := c.databaseOnly()
	if err != nil {
		return err
	}
	url := config.DatabaseURL.Reveal()
	if d.All {
		err = migrations.Down(ctx, url)
	} else {
		err = migrations.DownSteps(ctx, url, d.Steps)
	}
	if err != nil {
		return err
	}
	state, err := migrations.Status(ctx, url)
	if err != nil {
		return err
	}
	fmt.Printf("The schema is at version %d of %d.\n", state.Version, state.Latest)
	return nil
}

type migrateStatusCmd struct{}

// Run tells the schema's version. It ends 1 where `serve` would refuse to start.
func (migrateStatusCmd) Run(ctx context.Context, c *cli) error {
	config, err := c.databaseOnly()
	if err != nil {
		return err
	}
	url := config.DatabaseURL.Reveal()
	state, err := migrations.Status(ctx, url)
	if err != nil {
		return err
	}
	fmt.Printf("The schema is at version %d of %d.\n", state.Version, state.Latest)
	for _, name := range state.Pending {
		fmt.Println("  pending:", name)
	}
	if state.Dirty {
		fmt.Println("The migration to it was left half done; `suitesign migrate up` says what to do.")
	}
	if state.Dirty || state.Version < migrations.Oldest || state.Version > migrations.Newest {
		fmt.Printf("This program runs on versions %d to %d.\n", migrations.Oldest, migrations.Newest)
		return errTold
	}
	return nil
}
