package secret_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/audit/audittest"
	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// guardVaults gives the test's tables the guards that the migrations give every sealed column.
func guardVaults(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	makeVaults(t, pool)
	for _, c := range vaults {
		name := pgx.Identifier{c.Column}.Sanitize()
		execute(t, pool, fmt.Sprintf(`CREATE TRIGGER %s AFTER INSERT OR UPDATE OF %s ON %s FOR EACH ROW
			WHEN (is_sealed_with_retired_key(NEW.%[2]s)) EXECUTE FUNCTION refuse_retired_key()`,
			pgx.Identifier{"guard of " + c.Column}.Sanitize(), name, pgx.Identifier{c.Table}.Sanitize()))
	}
}

// rotatedLongAgo rotates, and has every replica had the time to hear of it.
func rotatedLongAgo(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	rotate(t, pool)
	execute(t, pool, `UPDATE keysets SET updated_at = now() - interval '61 seconds'`)
}

func reencrypt(t *testing.T, pool *pgxpool.Pool) {
	t.Helper()
	if _, err := secret.Reencrypt(t.Context(), pool, load(t, pool), vaults, 100); err != nil {
		t.Fatal(err)
	}
}

func retire(ctx context.Context, t *testing.T, pool *pgxpool.Pool, id uint32) (bool, error) {
	t.Helper()
	return secret.Retire(ctx, pool, master(t, 1), id, vaults)
}

// store stores a value as a replica with this ring does.
func store(ctx context.Context, q interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}, t *testing.T, k *secret.Keyring) error {
	t.Helper()
	id := uuid.NewString()
	at := vaults[0].At(id, "a")
	_, err := q.Exec(ctx, `INSERT INTO vault VALUES ($1, 'a', $2)`, id, seal(t, k, at.Row, at))
	return err
}

// refusedByTheGuard reports whether the database refused a value for its key.
func refusedByTheGuard(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == "sealed_with_a_kept_key"
}

func marks(t *testing.T, pool *pgxpool.Pool) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), `SELECT cardinality(retired) FROM keysets`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRetire(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	guardVaults(t, pool)
	k := load(t, pool)
	fill(t, pool, k, 3)
	old := k.Info().Primary
	refused := func(id uint32, want error, words ...string) {
		t.Helper()
		done, err := retire(t.Context(), t, pool, id)
		if done || !errors.Is(err, want) {
			t.Errorf("Retire = %v, %v; want %v", done, err, want)
		}
		for _, word := range words {
			if err != nil && !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %q", err, word)
			}
		}
		if marks(t, pool) != 0 {
			t.Errorf("%v: refused, and the key is marked", want)
		}
	}
	refused(old, secret.ErrActiveKey, "keys rotate")
	refused(old+1, secret.ErrNoSuchKey, "keys status")
	rotate(t, pool)
	refused(old, secret.ErrJustRotated, "run this again in ")
	execute(t, pool, `UPDATE keysets SET updated_at = now() - interval '61 seconds'`)
	refused(old, secret.ErrKeyInUse, "keys reencrypt", "6 in vault.value_sealed", "3 in Odd Vault.a sealed")
	reencrypt(t, pool)
	if _, err := secret.Retire(t.Context(), pool, master(t, 2), old, vaults); !errors.Is(err, secret.ErrWrongMasterKey) {
		t.Errorf("with a wrong master key: %v", err)
	}

	now := load(t, pool).Info().Primary
	audittest.Want(t, pool, func() {
		if done, err := retire(t.Context(), t, pool, old); !done || err != nil {
			t.Errorf("Retire = %v, %v; want it done", done, err)
		}
	}, fmt.Sprintf(`system keyring.retire keyring {"keys": ["%08[1]x", "%08[2]x"], "version": 2} {"keys": ["%08[2]x"], "version": 3}`, old, now))
	audittest.Want(t, pool, func() {
		if done, err := retire(t.Context(), t, pool, old); done || err != nil {
			t.Errorf("Retire again = %v, %v; want nothing to do and no error", done, err)
		}
	})
	if got := load(t, pool).Info().Keys; len(got) != 1 || got[0] != now {
		t.Errorf("the keyset has %x, want %x alone", got, now)
	}
	check(t, pool, load(t, pool))
	rotatedLongAgo(t, pool) // life goes on
	reencrypt(t, pool)
	if done, err := retire(t.Context(), t, pool, now); !done || err != nil {
		t.Errorf("the next one: %v, %v", done, err)
	}
	check(t, pool, load(t, pool))
}

// TestWhoSleptThroughItStoresNothing: a replica that wakes up with the keyset from
// before seals, but what it sealed is not stored.
func TestWhoSleptThroughItStoresNothing(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	guardVaults(t, pool)
	asleep := load(t, pool)
	execute(t, pool, `INSERT INTO vault VALUES (gen_random_uuid(), 'empty', NULL)`)
	rotatedLongAgo(t, pool)
	if done, err := retire(t.Context(), t, pool, asleep.Info().Primary); !done || err != nil {
		t.Fatalf("Retire = %v, %v", done, err)
	}
	if err := store(t.Context(), pool, t, asleep); !refusedByTheGuard(err) {
		t.Errorf("a value of the retired key: %v, want it refused", err)
	}
	at := vaults[0].At("b4f5b3f0-7c75-4e3e-9d0c-0d7b2b6f6a01", "a")
	stale := seal(t, asleep, "x", at)
	if err := asleep.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store(t.Context(), pool, t, asleep); err != nil {
		t.Errorf("after it has read the keyset again: %v", err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE vault SET value_sealed = $1`, stale); !refusedByTheGuard(err) {
		t.Errorf("an update with a value that was sealed before: %v, want it refused", err)
	}
	if _, err := pool.Exec(t.Context(), `UPDATE vault SET value_sealed = NULL`); err != nil {
		t.Errorf("no value: %v", err)
	}
}

// hold begins a transaction that has stored a value, and answers how to end it.
func hold(t *testing.T, pool *pgxpool.Pool, k *secret.Keyring) pgx.Tx {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	if err := store(t.Context(), tx, t, k); err != nil {
		t.Fatal(err)
	}
	return tx
}

// begin retires beside the test, and answers when the key is marked.
func begin(ctx context.Context, t *testing.T, pool *pgxpool.Pool, id uint32) <-chan error {
	t.Helper()
	out := make(chan error, 1)
	go func() {
		_, err := secret.Retire(ctx, pool, master(t, 1), id, vaults)
		out <- err
	}()
	for deadline := time.Now().Add(time.Minute); marks(t, pool) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the key is not marked within a minute")
		}
	}
	return out
}

// TestRetireSeesWhatWasBeingWritten: a transaction that stored a value before the
// key was marked, and commits after.
func TestRetireSeesWhatWasBeingWritten(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	guardVaults(t, pool)
	stale := load(t, pool)
	old := stale.Info().Primary
	rotatedLongAgo(t, pool)
	tx := hold(t, pool, stale)
	retiring := begin(t.Context(), t, pool, old)
	if _, err := retire(t.Context(), t, pool, old); !errors.Is(err, secret.ErrRetiring) {
		t.Errorf("a second one beside it: %v, want %v", err, secret.ErrRetiring)
	}
	if err := store(t.Context(), pool, t, stale); !refusedByTheGuard(err) {
		t.Errorf("a value stored while the key is on its way out: %v, want it refused", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-retiring; !errors.Is(err, secret.ErrKeyInUse) || !strings.Contains(err.Error(), "1 in vault.value_sealed") {
		t.Errorf("Retire = %v; want it to have found the value", err)
	}
	if err := store(t.Context(), pool, t, stale); err != nil {
		t.Errorf("the key stays, but a value of it is refused: %v", err)
	}
	reencrypt(t, pool)
	if done, err := retire(t.Context(), t, pool, old); !done || err != nil {
		t.Errorf("after keys reencrypt: %v, %v", done, err)
	}
}

// TestRetireGoesOnWhereItWasEnded: killed after the mark, the key opens and seals
// no more; the next run goes on.
func TestRetireGoesOnWhereItWasEnded(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	guardVaults(t, pool)
	stale := load(t, pool)
	old := stale.Info().Primary
	fill(t, pool, stale, 1)
	reader := load(t, pool)
	var sealed []byte
	if err := pool.QueryRow(t.Context(), `SELECT "a sealed" FROM "Odd Vault"`).Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	rotatedLongAgo(t, pool)
	reencrypt(t, pool)
	tx := hold(t, pool, reader)
	ctx, kill := context.WithCancel(t.Context())
	retiring := begin(ctx, t, pool, old)
	kill()
	if err := <-retiring; !errors.Is(err, context.Canceled) {
		t.Errorf("Retire = %v; want it ended", err)
	}
	if marks(t, pool) != 1 {
		t.Error("the mark went with the process; nothing holds stale replicas off")
	}
	if _, err := load(t, pool).Open(sealed, vaults[2].At("0")); err != nil {
		t.Errorf("the key does not open any more, though it is not retired: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ { // the lock goes with the killed one's connection, a moment later
		done, err := retire(t.Context(), t, pool, old)
		if errors.Is(err, secret.ErrRetiring) && try < 1000 {
			time.Sleep(10 * time.Millisecond) // between looks
			continue
		}
		if !done || err != nil {
			t.Errorf("Retire again = %v, %v", done, err)
		}
		break
	}
	check(t, pool, load(t, pool))
}

// TestRetireBesideReplicasThatSeal: replicas that never hear of the rotation store
// values all the time, and keys are retired as an operator would. Whatever was
// stored opens.
func TestRetireBesideReplicasThatSeal(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	guardVaults(t, pool)
	stale := load(t, pool)
	old := stale.Info().Primary
	rotatedLongAgo(t, pool)
	var stored, refused atomic.Int64
	var replicas sync.WaitGroup
	for range 3 {
		replicas.Go(func() {
			for range 100 {
				switch err := store(t.Context(), pool, t, stale); {
				case err == nil:
					stored.Add(1)
				case refusedByTheGuard(err):
					refused.Add(1)
				default:
					t.Errorf("store: %v", err)
				}
			}
		})
	}
	for done := false; !done; { // they end, so this does
		reencrypt(t, pool)
		var err error
		if done, err = retire(t.Context(), t, pool, old); err != nil && !errors.Is(err, secret.ErrKeyInUse) {
			t.Fatal(err)
		}
	}
	replicas.Wait()
	t.Logf("%d values stored, %d refused", stored.Load(), refused.Load())
	k := load(t, pool)
	check(t, pool, k)
	if counts := count(t, pool); counts[old] != 0 || counts[k.Info().Primary] != stored.Load() {
		t.Errorf("by key %v; want all %d under %d", counts, stored.Load(), k.Info().Primary)
	}
}
