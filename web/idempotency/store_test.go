package idempotency_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"suitesign/migrations/pgtest"
	"suitesign/secret/secrettest"
	"suitesign/web/idempotency"
)

func open(t *testing.T) *idempotency.Store {
	t.Helper()
	return &idempotency.Store{Pool: pgtest.New(t), Ring: secrettest.New(t)}
}

var (
	ask    = []byte("digest of a request ............")
	other  = []byte("digest of another one ..........")
	answer = idempotency.Answer{Status: 201, Header: map[string]string{"Location": "/v1/x"}, Body: []byte(`{"canary":1}`)}
)

func begin(t *testing.T, s *idempotency.Store, holder uuid.UUID, request []byte) (*idempotency.Turn, *idempotency.Earlier) {
	t.Helper()
	turn, earlier, err := s.Begin(t.Context(), holder, "my key", request)
	if err != nil {
		t.Fatal(err)
	}
	if (turn == nil) == (earlier == nil) {
		t.Fatalf("Begin = %v, %v; want one of them", turn, earlier)
	}
	return turn, earlier
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string) int64 {
	t.Helper()
	tag, err := pool.Exec(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return tag.RowsAffected()
}

func TestTheFirstDoesIt(t *testing.T) {
	t.Parallel()
	s, holder := open(t), uuid.New()
	turn, _ := begin(t, s, holder, ask)
	_, earlier := begin(t, s, holder, ask)
	if _, err := earlier.Answer(ask); !errors.Is(err, idempotency.ErrInProgress) {
		t.Errorf("the same meanwhile: %v, want ErrInProgress", err)
	}
	if _, err := earlier.Answer(other); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("another meanwhile: %v, want ErrReused", err)
	}
	if stranger, _ := begin(t, s, uuid.New(), other); stranger == nil {
		t.Error("the name of one key is taken for another key")
	} else if err := stranger.Forget(t.Context()); err != nil {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel() // the client went away
	if err := turn.Done(gone, ask, answer); err != nil {
		t.Fatal(err)
	}
	_, earlier = begin(t, s, holder, ask)
	got, err := earlier.Answer(ask)
	if diff := cmp.Diff(answer, got); diff != "" || err != nil {
		t.Errorf("the same again: %v (-want +got)\n%s", err, diff)
	}
	if _, err := earlier.Answer(other); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("another: %v, want ErrReused", err)
	}
}

func TestWhatIsForgottenIsDoneAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	turn, _ := begin(t, s, uuid.Nil, ask)
	if err := turn.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if turn, _ = begin(t, s, uuid.Nil, other); turn == nil {
		t.Error("a forgotten name is still taken")
	} else if err := turn.Forget(t.Context()); err != nil {
		t.Error(err)
	}
}

// A process that dies leaves its row as it was; its lease ends and the name is free for the same request.
func TestADeadProcessLocksNothingForEver(t *testing.T) {
	t.Parallel()
	s := open(t)
	dead, _ := begin(t, s, uuid.Nil, ask)
	exec(t, s.Pool, `UPDATE idempotency_keys SET lease_until = now()`)
	_, earlier := begin(t, s, uuid.Nil, other)
	if _, err := earlier.Answer(other); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("another request under the name of a dead one: %v, want ErrReused", err)
	}
	heir, _ := begin(t, s, uuid.Nil, ask)
	if heir == nil {
		t.Fatal("the name stays taken after the lease")
	}
	if _, earlier := begin(t, s, uuid.Nil, ask); earlier == nil {
		t.Fatal("two inherit one name")
	}
	// The dead one was only slow: what it says comes too late.
	if err := dead.Done(t.Context(), ask, idempotency.Answer{Status: 500}); err != nil {
		t.Fatal(err)
	}
	if err := dead.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := heir.Done(t.Context(), ask, answer); err != nil {
		t.Fatal(err)
	}
	_, earlier = begin(t, s, uuid.Nil, ask)
	if got, err := earlier.Answer(ask); err != nil || got.Status != 201 {
		t.Errorf("the answer is %+v, %v; want the heir's", got, err)
	}
}

// The digest of a streamed request is known at its end only.
func TestAStreamIsComparedAtItsEnd(t *testing.T) {
	t.Parallel()
	s := open(t)
	turn, _ := begin(t, s, uuid.Nil, nil)
	_, earlier := begin(t, s, uuid.Nil, nil)
	if _, err := earlier.Answer(ask); !errors.Is(err, idempotency.ErrInProgress) {
		t.Errorf("meanwhile: %v, want ErrInProgress", err)
	}
	if err := turn.Done(t.Context(), ask, answer); err != nil {
		t.Fatal(err)
	}
	_, earlier = begin(t, s, uuid.Nil, nil)
	if _, err := earlier.Answer(ask); err != nil {
		t.Error(err)
	}
	if _, err := earlier.Answer(other); !errors.Is(err, idempotency.ErrReused) {
		t.Errorf("another stream: %v, want ErrReused", err)
	}
}

func TestNamesLastADay(t *testing.T) {
	t.Parallel()
	s := open(t)
	turn, _ := begin(t, s, uuid.Nil, ask)
	if n, err := s.Prune(t.Context()); n != 0 || err != nil {
		t.Errorf("Prune of what is new = %d, %v", n, err)
	}
	exec(t, s.Pool, `UPDATE idempotency_keys SET expires_at = now()`)
	if n, err := s.Prune(t.Context()); n != 0 || err != nil {
		t.Errorf("Prune of what still runs = %d, %v", n, err)
	}
	if err := turn.Done(t.Context(), ask, answer); err != nil {
		t.Fatal(err)
	}
	again, _ := begin(t, s, uuid.Nil, other)
	if again == nil {
		t.Fatal("a name of yesterday is still taken")
	}
	if err := again.Done(t.Context(), other, answer); err != nil {
		t.Fatal(err)
	}
	exec(t, s.Pool, `UPDATE idempotency_keys SET expires_at = now()`)
	if n, err := s.Prune(t.Context()); n != 1 || err != nil {
		t.Errorf("Prune of a day later = %d, %v; want 1", n, err)
	}
}

// Nothing that a caller sent or was answered stands in the table in the clear.
func TestRowsAreSealed(t *testing.T) {
	t.Parallel()
	s := open(t)
	turn, _ := begin(t, s, uuid.Nil, ask)
	if err := turn.Done(t.Context(), ask, answer); err != nil {
		t.Fatal(err)
	}
	var row []byte
	if err := s.Pool.QueryRow(t.Context(), `SELECT request_sealed || answer_sealed || convert_to(key_digest, 'UTF8') FROM idempotency_keys`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	for _, clear := range []string{"canary", "my key", string(ask)} {
		if bytes.Contains(row, []byte(clear)) {
			t.Errorf("the row holds %q", clear)
		}
	}
	rows, err := s.Pool.Query(t.Context(), `SELECT column_name FROM information_schema.columns WHERE table_name = 'idempotency_keys' AND data_type = 'bytea' ORDER BY 1 DESC`)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, c := range idempotency.SealedColumns {
		listed = append(listed, c.Column)
	}
	if !slices.Equal(listed, columns) {
		t.Errorf("SealedColumns = %v, the table has %v", listed, columns)
	}
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
