package main

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// A connection that leads to a demoted primary answers reads and refuses writes.
// The pool lets go of it, so that only one statement fails.
func TestPoolLetsGoOfAReadOnlyServer(t *testing.T) {
	c := defaultConfig()
	c.DatabaseURL, c.DatabaseConns = secret.New(pgtest.URL(t)), 4
	pool, err := openPool(c)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	const write = `INSERT INTO changes (topic, key) VALUES ('test', '')`
	if _, err := pool.Exec(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), `SET default_transaction_read_only = on`); err != nil { // as the demoted one would
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), write); err == nil {
		t.Fatal("the connection can still write, so this shows nothing")
	}
	for range 3 {
		if _, err := pool.Exec(t.Context(), write); err != nil {
			t.Errorf("after the first refusal: %v", err)
		}
	}
	if n := pool.Stat().TotalConns(); n != 1 {
		t.Errorf("%d connections, want the new one alone", n)
	}
}

// However a write goes about it, and whichever of the two pools it was of.
func TestBothPoolsLetGoOfAReadOnlyServer(t *testing.T) {
	c := defaultConfig()
	c.DatabaseURL, c.DatabaseConns = secret.New(pgtest.URL(t)), 4
	pools, err := openPools(c)
	if err != nil {
		t.Fatal(err)
	}
	defer pools.close()
	const insert = `INSERT INTO changes (topic, key) VALUES ('test', '')`
	for name, write := range map[string]func(*pgxpool.Pool) error{
		"a statement": func(pool *pgxpool.Pool) error {
			_, err := pool.Exec(t.Context(), insert)
			return err
		},
		"a batch": func(pool *pgxpool.Pool) error {
			b := &pgx.Batch{}
			b.Queue(`SELECT 1`)
			b.Queue(insert)
			return pool.SendBatch(t.Context(), b).Close()
		},
		"a copy": func(pool *pgxpool.Pool) error {
			_, err := pool.CopyFrom(t.Context(), pgx.Identifier{"changes"}, []string{"topic", "key"}, pgx.CopyFromRows([][]any{{"test", ""}}))
			return err
		},
	} {
		for _, pool := range []*pgxpool.Pool{pools.serving, pools.working} {
			if _, err := pool.Exec(t.Context(), `SET default_transaction_read_only = on`); err != nil { // as the demoted one would
				t.Fatal(err)
			}
		}
		if err := write(pools.working); err == nil {
			t.Fatalf("%s: the connection can still write, so this shows nothing", name)
		}
		for _, pool := range []*pgxpool.Pool{pools.serving, pools.working} {
			if err := write(pool); err != nil {
				t.Errorf("%s after the first refusal: %v", name, err)
			}
		}
	}
}

// Want of space is told until a minute after the last refusal for it.
func TestWantOfSpaceIsTold(t *testing.T) {
	c := defaultConfig()
	c.DatabaseURL = secret.New(pgtest.URL(t))
	pools, err := openPools(c)
	if err != nil {
		t.Fatal(err)
	}
	defer pools.close()
	if got := pools.trouble.warnFull(); got != nil {
		t.Errorf("before: %q, want nothing", got)
	}
	if _, err := pools.working.Exec(t.Context(), `DO $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$`); err == nil {
		t.Fatal("nothing was refused, so this shows nothing")
	}
	if got := pools.trouble.warnFull(); len(got) != 1 || !strings.Contains(got[0], "no space left") {
		t.Errorf("after a refusal: %q, want it told", got)
	}
	pools.trouble.fullAt.Add(-int64(fullFor/time.Second) - 1)
	if got := pools.trouble.warnFull(); got != nil {
		t.Errorf("a minute later: %q, want nothing", got)
	}
}

// What cannot be written to is not connected to, unless the URL asks for it.
func TestPoolWantsAServerThatCanBeWrittenTo(t *testing.T) {
	url := pgtest.URL(t) + "&default_transaction_read_only=on"
	for _, tt := range []struct {
		url string
		ok  bool
	}{{url, false}, {url + "&target_session_attrs=prefer-standby", true}} {
		c := defaultConfig()
		c.DatabaseURL = secret.New(tt.url)
		pool, err := openPool(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := pool.Ping(t.Context()); (err == nil) != tt.ok {
			t.Errorf("%s: ping = %v, want success %v", tt.url, err, tt.ok)
		}
		pool.Close()
	}
}

// A pair's second server waits behind the first for less than a callback's
// redelivery takes, unless the URL says otherwise.
func TestConnectTimeout(t *testing.T) {
	for url, want := range map[string]time.Duration{
		"postgres://u@a/d":                                                 3 * time.Second,
		"postgres://u@a/d?sslmode=prefer":                                  3 * time.Second, // two ways to one server
		"postgres://u@a/d?connect_timeout=7":                               7 * time.Second,
		"postgres://u@a,b/d?target_session_attrs=read-write":               1500 * time.Millisecond,
		"postgres://u@a:5432,a:5433/d":                                     1500 * time.Millisecond,
		"host=a,b port=5432,5432 dbname=d target_session_attrs=read-write": 1500 * time.Millisecond,
		"host=a,b dbname=d connect_timeout=5":                              5 * time.Second,
	} {
		c, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := connectTimeout(c); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// What is acknowledged is on disk, also where the server is set up otherwise; a
// stricter setting is left alone.
func TestPoolIsDurable(t *testing.T) {
	for given, want := range map[string]string{"off": "on", "on": "on", "remote_apply": "remote_apply"} {
		c := defaultConfig()
		c.DatabaseURL = secret.New(pgtest.URL(t) + "&synchronous_commit=" + given)
		pool, err := openPool(c)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := pool.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&got); err != nil || got != want {
			t.Errorf("synchronous_commit=%s became %q, %v; want %q", given, got, err, want)
		}
		pool.Close()
	}
}
