package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations"
	"suitesign/secret"
)

// databaseURL is all that commands about the schema need of the configuration.
func (c *cli) databaseURL() (string, error) {
	config, err := loadConfig(c.Config, os.Environ())
	if config.DatabaseURL.IsZero() {
		if err != nil {
			return "", err
		}
		return "", errors.New("SUITESIGN_DATABASE_URL is not set")
	}
	return config.DatabaseURL.Reveal(), nil
}

// openPool makes the pool of connections. It does not connect yet.
func openPool(config Config) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(config.DatabaseURL.Reveal())
	if err != nil {
		return nil, errors.New("SUITESIGN_DATABASE_URL is not a PostgreSQL connection string")
	}
	pc.MaxConns = int32(config.DatabaseConns) //nolint:gosec // checked to be small
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.HealthCheckPeriod = 10 * time.Second
	pc.ConnConfig.ConnectTimeout = 3 * time.Second
	set := func(name, value string) {
		if _, given := pc.ConnConfig.RuntimeParams[name]; !given {
			pc.ConnConfig.RuntimeParams[name] = value
		}
	}
	set("application_name", "suitesign")
	set("timezone", "UTC")
	// A statement that hangs must not hold a lease or a callback for minutes.
	set("statement_timeout", "10000")
	set("lock_timeout", "5000")
	set("idle_in_transaction_session_timeout", "15000")
	return pgxpool.NewWithConfig(context.Background(), pc)
}

// openDatabase is for the commands: a pool on a schema that fits, and the keyring.
func (c *cli) openDatabase(ctx context.Context) (*pgxpool.Pool, Config, secret.MasterKey, error) {
	config, err := loadConfig(c.Config, os.Environ())
	if err != nil {
		return nil, config, secret.MasterKey{}, err
	}
	master, err := secret.ParseMasterKey(config.MasterKey)
	if err != nil {
		return nil, config, master, fmt.Errorf("SUITESIGN_MASTER_KEY: %w", err)
	}
	pool, err := openPool(config)
	if err != nil {
		return nil, config, master, err
	}
	if err := migrations.Check(ctx, pool); err != nil {
		pool.Close()
		return nil, config, master, err
	}
	return pool, config, master, nil
}
