package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations"
	"suitesign/reach"
	"suitesign/standby"
)

// databaseOnly reads the configuration for commands that need the database and
// nothing else of it, so that they run where no other secret is: in a migration
// job, say. Faults elsewhere in the configuration are for `config check`.
func (c *cli) databaseOnly() (Config, error) {
	config, err := loadConfig(c.Config, os.Environ())
	if config.DatabaseURL.IsZero() {
		return config, err // which tells, among others, that it is not set
	}
	if _, err := pgxpool.ParseConfig(config.DatabaseURL.Reveal()); err != nil {
		return config, errDatabaseURL
	}
	return config, nil
}

// errDatabaseURL stands for the driver's own error, which may quote the URL, and
// the URL holds a password.
var errDatabaseURL = errors.New("SUITESIGN_DATABASE_URL is not a PostgreSQL connection string, like postgres://user:password@host:5432/suitesign")

// openPool makes the pool of connections. It does not connect yet.
func openPool(config Config) (*pgxpool.Pool, error) { return new(databaseTrouble).openPool(config) }

func (d *databaseTrouble) openPool(config Config) (*pgxpool.Pool, error) {
	pc, err := pgxpool.ParseConfig(config.DatabaseURL.Reveal())
	if err != nil {
		return nil, errDatabaseURL
	}
	pc.MaxConns = int32(config.DatabaseConns) //nolint:gosec // checked to be small
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.HealthCheckPeriod = 10 * time.Second
	pc.ConnConfig.ConnectTimeout = connectTimeout(pc.ConnConfig)
	pc.ConnConfig.DialFunc = databaseDialer().DialContext
	set := func(name, value string) {
		if _, given := pc.ConnConfig.RuntimeParams[name]; !given {
			pc.ConnConfig.RuntimeParams[name] = value
		}
	}
	set("application_name", applicationName)
	set("timezone", "UTC")
	// A statement that hangs must not hold a lease or a callback for minutes.
	set("statement_timeout", "10000")
	set("lock_timeout", "5000")
	set("idle_in_transaction_session_timeout", "15000")
	// Where the URL does not say otherwise, only a server that can be written to will do.
	if pc.ConnConfig.ValidateConnect == nil {
		pc.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	pc.AfterConnect = durable
	pc.ConnConfig.Tracer = d
	standby.Follow(pc.ConnConfig)
	pc.PrepareConn = reach.Guard
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err == nil {
		d.pools.add(pool)
	}
	return pool, err
}

// connectTimeout is how long a server may take to let us in. Where there is another one to
// be tried it is less: a machine that died without a word says nothing to any new
// connection, and the one that took over waits behind it.
func connectTimeout(c *pgx.ConnConfig) time.Duration {
	if c.ConnectTimeout > 0 { // the URL's
		return c.ConnectTimeout
	}
	for _, f := range c.Fallbacks { // the same server with and without TLS is one
		if f.Host != c.Host || f.Port != c.Port {
			return 1500 * time.Millisecond
		}
	}
	return 3 * time.Second
}

// durable keeps a session from acknowledging what a crash of the server would lose:
// "success" is told to WeCom once, and where the server's default is
// synchronous_commit=off it would be told for nothing. What is stricter stays.
func durable(ctx context.Context, conn *pgx.Conn) error {
	const q = `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`
	_, err := conn.Exec(ctx, q)
	return err
}

// databaseTrouble looks at what statements are refused with, in all pools of the process.
//
// It drops their connections when one turns out to lead to a server that cannot be
// written to any more: a primary that a failover made a standby keeps its
// connections, and a pool that keeps them too stays stuck for good
// (https://github.com/riverqueue/river/issues/1225). And it knows when the server had
// no space left, for /readyz.
type databaseTrouble struct {
	pools  poolList
	fullAt atomic.Int64 // when a statement was refused for want of space, in Unix seconds
}

// Both SQLSTATEs concern the server, not the statement.
const (
	readOnlyTransaction = "25006"
	diskFull            = "53100"
)

// fullFor is how long a want of space is told of after the last refusal.
const fullFor = time.Minute

func (d *databaseTrouble) look(err error) {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return
	}
	switch refused.Code {
	case readOnlyTransaction:
		d.pools.reset()
	case diskFull:
		d.fullAt.Store(time.Now().Unix())
	}
}

// warnFull tells /readyz.
func (d *databaseTrouble) warnFull() []string {
	if time.Since(time.Unix(d.fullAt.Load(), 0)) > fullFor {
		return nil
	}
	return []string{"PostgreSQL has no space left on its disk; callbacks are not acknowledged and nothing is refreshed until it has"}
}

// TraceQueryStart does nothing.
func (*databaseTrouble) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

// TraceQueryEnd looks at what became of a statement.
func (d *databaseTrouble) TraceQueryEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	d.look(data.Err)
}

// TraceBatchStart does nothing.
func (*databaseTrouble) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery looks at what became of a statement of a batch.
func (d *databaseTrouble) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	d.look(data.Err)
}

// TraceBatchEnd looks at what became of a batch: not every statement's results are asked for.
func (d *databaseTrouble) TraceBatchEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	d.look(data.Err)
}

// TraceCopyFromStart does nothing.
func (*databaseTrouble) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return ctx
}

// TraceCopyFromEnd looks at what became of a COPY.
func (d *databaseTrouble) TraceCopyFromEnd(_ context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	d.look(data.Err)
}

// poolList are pools that lead to the same server.
type poolList struct {
	mu   sync.Mutex
	list []*pgxpool.Pool
}

func (p *poolList) add(pool *pgxpool.Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list, pool)
}

// reset drops all connections; those in use go when they are given back.
func (p *poolList) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pool := range p.list {
		pool.Reset()
	}
}

// applicationName is what pg_stat_activity shows, unless the URL says another one.
const applicationName = "suitesign"

// listenConfig is for the one connection of a replica that LISTENs, which stands
// apart in pg_stat_activity.
func listenConfig(pool *pgxpool.Pool) *pgx.ConnConfig {
	c := pool.Config().ConnConfig.Copy()
	if c.RuntimeParams["application_name"] == applicationName {
		c.RuntimeParams["application_name"] = applicationName + " listen"
	}
	return c
}

// openSchema opens a pool for a command, on a schema that fits.
func openSchema(ctx context.Context, config Config) (*pgxpool.Pool, error) {
	pool, err := openPool(config)
	if err != nil {
		return nil, err
	}
	if err := migrations.Check(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}
