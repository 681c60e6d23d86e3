package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/secret"
	"suitesign/suite"
	"suitesign/ticket"
	"suitesign/web/idempotency"
	"suitesign/web/imports"
	"suitesign/web/webhook"
)

// sealedColumns are all columns of all rooms that hold sealed values.
func sealedColumns() []secret.Column {
	return slices.Concat(suite.SealedColumns, ticket.SealedColumns, imports.SealedColumns, idempotency.SealedColumns, webhook.SealedColumns)
}

type keysCmd struct {
	Init      keysInitCmd      `cmd:"" help:"Make the first keyset. serve does so by itself; repeating it is no error."`
	Rotate    keysRotateCmd    `cmd:"" help:"Add a key and seal with it from now on; what older keys sealed still opens."`
	Reencrypt keysReencryptCmd `cmd:"" help:"Seal everything anew with the active key. May be repeated, and ended at any time."`
	Retire    keysRetireCmd    `cmd:"" help:"Take a key out of the keyset for good, once nothing is sealed with it any more. May be repeated."`
	Status    keysStatusCmd    `cmd:"" help:"Tell the keys and how many values each has sealed."`
}

type keysInitCmd struct{}

// Run makes the first keyset where there is none.
func (keysInitCmd) Run(ctx context.Context, c *cli) error {
	pool, master, err := c.openKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	ring, created, err := secret.LoadOrCreate(ctx, pool, master)
	if err != nil {
		return err
	}
	if created {
		fmt.Println("Made the first keyset.")
	} else {
		fmt.Println("There is a keyset already.")
	}
	return printKeys(ctx, pool, ring)
}

type keysRotateCmd struct{}

// Run adds a key and makes it the one that seals.
func (keysRotateCmd) Run(ctx context.Context, c *cli) error {
	pool, master, err := c.openKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	if _, err := secret.Rotate(ctx, pool, master); err != nil {
		return err
	}
	ring, err := secret.Load(ctx, pool, master)
	if err != nil {
		return err
	}
	fmt.Println("Rotated. Replicas seal with the new key within seconds; `suitesign keys reencrypt` seals the rest anew.")
	return printKeys(ctx, pool, ring)
}

type keysReencryptCmd struct {
	Batch int `help:"Values in one statement." default:"500"`
}

// Run seals everything with the active key.
func (k keysReencryptCmd) Run(ctx context.Context, c *cli) error {
	if k.Batch < 1 {
		return fmt.Errorf("--batch is %d: use 1 or more", k.Batch)
	}
	pool, ring, err := c.openRing(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	done, err := secret.Reencrypt(ctx, pool, ring, sealedColumns(), k.Batch)
	fmt.Printf("Sealed %d values anew.\n", done)
	if err != nil {
		fmt.Fprintln(os.Stderr, "Not all of it was done; run it again.")
		return err
	}
	return printKeys(ctx, pool, ring)
}

type keysRetireCmd struct {
	KeyID string `arg:"" name:"keyid" help:"The key's id, eight hexadecimal digits, as keys status prints it."`
}

// Run retires a key that has sealed nothing that is left.
func (k keysRetireCmd) Run(ctx context.Context, c *cli) error {
	id, err := strconv.ParseUint(k.KeyID, 16, 32)
	if err != nil || len(k.KeyID) != 8 {
		return fmt.Errorf("%q is no id of a key: it has eight hexadecimal digits, as `suitesign keys status` prints it", k.KeyID)
	}
	pool, master, err := c.openKeys(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	retired, err := secret.Retire(ctx, pool, master, uint32(id), sealedColumns())
	if err != nil {
		return err
	}
	if retired {
		fmt.Printf("Retired key %08x. Replicas forget it within seconds. Older backups need it and have it: each holds the keyset of its time.\n", id)
	} else {
		fmt.Printf("Key %08x was retired before.\n", id)
	}
	ring, err := secret.Load(ctx, pool, master)
	if err != nil {
		return err
	}
	return printKeys(ctx, pool, ring)
}

type keysStatusCmd struct{}

// Run tells the keys.
func (keysStatusCmd) Run(ctx context.Context, c *cli) error {
	pool, ring, err := c.openRing(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	return printKeys(ctx, pool, ring)
}

// openRing opens what the commands that read or write sealed values need: the
// database and the keyring. The caller closes the pool.
func (c *cli) openRing(ctx context.Context) (*pgxpool.Pool, *secret.Keyring, error) {
	pool, master, err := c.openKeys(ctx)
	if err != nil {
		return nil, nil, err
	}
	ring, err := secret.Load(ctx, pool, master)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return pool, ring, nil
}

// openKeys opens what the commands that change the keyring need: the database and
// the master key. The caller closes the pool.
func (c *cli) openKeys(ctx context.Context) (*pgxpool.Pool, secret.MasterKey, error) {
	config, err := loadConfig(c.Config, os.Environ())
	if err != nil {
		return nil, secret.MasterKey{}, err
	}
	master, err := secret.ParseMasterKey(config.MasterKey)
	if err != nil {
		return nil, secret.MasterKey{}, fmt.Errorf("SUITESIGN_MASTER_KEY: %w", err)
	}
	pool, err := openSchema(ctx, config)
	return pool, master, err
}

func printKeys(ctx context.Context, pool *pgxpool.Pool, ring *secret.Keyring) error {
	counts, err := secret.CountByKey(ctx, pool, sealedColumns())
	if err != nil {
		return err
	}
	info := ring.Info()
	fmt.Printf("Keyset version %d.\n", info.Version)
	for _, id := range info.Keys {
		active := ""
		if id == info.Primary {
			active = ", active"
		}
		fmt.Printf("  key %08x: %d values%s\n", id, counts[id], active)
	}
	return nil
}
