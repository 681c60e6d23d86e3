package secret_test

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// master makes the master key whose bytes are all b.
func master(t *testing.T, b byte) secret.MasterKey {
	t.Helper()
	raw := slices.Repeat([]byte{b}, 32)
	mk, err := secret.ParseMasterKey(secret.New(base64.StdEncoding.EncodeToString(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return mk
}

func load(t *testing.T, pool *pgxpool.Pool) *secret.Keyring {
	t.Helper()
	k, _, err := secret.LoadOrCreate(t.Context(), pool, master(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rotate(t *testing.T, pool *pgxpool.Pool) secret.KeyringInfo {
	t.Helper()
	info, err := secret.Rotate(t.Context(), pool, master(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestProcessesThatStartTogetherMakeOneRing(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mk := master(t, 1)
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		rings   []*secret.Keyring
		created int
	)
	for range 8 {
		wg.Go(func() {
			k, made, err := secret.LoadOrCreate(t.Context(), pool, mk)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			rings = append(rings, k)
			if made {
				created++
			}
		})
	}
	wg.Wait()
	if created != 1 {
		t.Errorf("%d of 8 made a ring, want 1", created)
	}
	for _, k := range rings {
		sealed := seal(t, k, canary, here)
		for _, other := range rings {
			if got, err := other.Open(sealed, here); err != nil || got.Reveal() != canary {
				t.Fatalf("a value of one process in another: %v", err)
			}
		}
	}
}

func TestWrongMasterKey(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	right := load(t, pool)
	if _, _, err := secret.LoadOrCreate(t.Context(), pool, master(t, 2)); !errors.Is(err, secret.ErrWrongMasterKey) {
		t.Errorf("LoadOrCreate = %v, want ErrWrongMasterKey", err)
	}
	if _, err := secret.Rotate(t.Context(), pool, master(t, 2)); !errors.Is(err, secret.ErrWrongMasterKey) {
		t.Errorf("Rotate = %v, want ErrWrongMasterKey", err)
	}
	if _, _, err := secret.LoadOrCreate(t.Context(), pool, secret.MasterKey{}); !errors.Is(err, secret.ErrMasterKey) {
		t.Errorf("LoadOrCreate without a key = %v, want ErrMasterKey", err)
	}
	if diff := cmp.Diff(right.Info(), load(t, pool).Info()); diff != "" {
		t.Errorf("the refused attempts changed the keyset:\n%s", diff)
	}
	execute(t, pool, `UPDATE keysets SET wrapped = set_byte(wrapped, 10, get_byte(wrapped, 10) # 1)`)
	if err := right.Reload(t.Context()); err == nil {
		t.Error("a damaged keyset loads")
	}
	if got, err := right.Open(seal(t, right, canary, here), here); err != nil || got.Reveal() != canary {
		t.Errorf("a ring in memory after a failed Reload: %v, want that it still works", err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if _, err := secret.Rotate(t.Context(), pool, master(t, 1)); !errors.Is(err, secret.ErrNoKeyset) {
		t.Errorf("Rotate of nothing = %v, want ErrNoKeyset", err)
	}
	k := load(t, pool)
	before := k.Info()
	old := seal(t, k, canary, here)
	after := rotate(t, pool)
	if after.Version != before.Version+1 || after.Primary == before.Primary ||
		!slices.Equal(after.Keys, []uint32{before.Primary, after.Primary}) {
		t.Errorf("Rotate = %+v after %+v; want one more version and one more key that seals", after, before)
	}
	if err := k.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(after, k.Info()); diff != "" {
		t.Errorf("after Reload (-rotated +loaded):\n%s", diff)
	}
	if got, err := k.Open(old, here); err != nil || got.Reveal() != canary {
		t.Errorf("a value sealed before the rotation: %v", err)
	}
	var topics []string
	if err := pool.QueryRow(t.Context(), `SELECT array_agg(topic || ':' || key) FROM changes`).Scan(&topics); err != nil ||
		!slices.Equal(topics, []string{"keyring:"}) {
		t.Errorf("changes = %v, %v; want that the keyring changed", topics, err)
	}
}

func TestRotationsAtTheSameTimeLoseNoKey(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k := load(t, pool)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := secret.Rotate(t.Context(), pool, master(t, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := k.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info := k.Info(); len(info.Keys) != 6 || info.Version != 6 {
		t.Errorf("after 5 rotations: %+v; want 6 keys, version 6", info)
	}
}

func TestARotationElsewhereIsSeenWhenItIsNeeded(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	near, elsewhere := load(t, pool), load(t, pool)
	rotate(t, pool)
	if err := elsewhere.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, elsewhere, canary, here)
	if got, err := near.Open(sealed, here); err != nil || got.Reveal() != canary {
		t.Errorf("a value sealed after a rotation elsewhere: %v", err)
	}
	if diff := cmp.Diff(elsewhere.Info(), near.Info()); diff != "" {
		t.Errorf("the rings differ:\n%s", diff)
	}
}

// reads counts the statements that read the keyset.
type reads struct{ atomic.Int64 }

func (r *reads) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.Contains(q.SQL, "keysets") {
		r.Add(1)
	}
	return ctx
}

func (r *reads) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestDamagedRowsDoNotHammerTheDatabase(t *testing.T) {
	t.Parallel()
	cfg, err := pgxpool.ParseConfig(pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var count reads
	cfg.ConnConfig.Tracer = &count
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)

	k := load(t, pool)
	sound := seal(t, k, canary, here)
	damaged := slices.Clone(sound)
	before, began := count.Load(), time.Now()
	for i := range 1000 {
		damaged[1], damaged[2] = byte(i), byte(i>>8) // a thousand keys
		damaged[3] = ^sound[3]                       // none of which is the one that there is
		if _, err := k.Open(damaged, here); !errors.Is(err, secret.ErrUnknownKey) {
			t.Fatalf("Open = %v, want ErrUnknownKey", err)
		}
	}
	most := 4 + int64(time.Since(began)/time.Second) // a few to spare, then one a second
	if n := count.Load() - before; n < 1 || n > most {
		t.Errorf("1000 damaged values read the keyset %d times, want at most %d", n, most)
	}
	if _, err := k.Open(seal(t, k, canary, here), here); err != nil {
		t.Errorf("a sound value beside them: %v", err)
	}
}

func TestOpenSaysThatTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	k := load(t, pool)
	known := seal(t, k, canary, here)
	unknown := slices.Clone(known)
	unknown[1] ^= 0xff
	pool.Close()
	if got, err := k.Open(known, here); err != nil || got.Reveal() != canary {
		t.Errorf("a known key without the database: %v", err)
	}
	if _, err := k.Open(unknown, here); !errors.Is(err, secret.ErrUnknownKey) || errors.Is(err, context.Canceled) {
		t.Errorf("an unknown key without the database: %v, want ErrUnknownKey", err)
	}
}
