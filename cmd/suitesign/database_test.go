package main

import (
	"testing"

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
