package idempotency

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/secret"
)

var (
	// ErrReused is returned where another request had this name.
	ErrReused = errors.New("idempotency key was used for another request")
	// ErrInProgress is returned while the request that has this name is under way.
	ErrInProgress = errors.New("the request with this idempotency key is under way")
)

// Kept is how long a name is remembered.
const Kept = 24 * time.Hour

const (
	lease  = 30 * time.Second // a dead process's names come free after it
	extend = 10 * time.Second
)

var (
	requestColumn = secret.Column{Table: "idempotency_keys", Column: "request_sealed", Key: []string{"holder", "key_digest"}}
	answerColumn  = secret.Column{Table: "idempotency_keys", Column: "answer_sealed", Key: []string{"holder", "key_digest"}}
)

// SealedColumns are the columns of this room that hold sealed values.
var SealedColumns = []secret.Column{requestColumn, answerColumn}

// Answer is what a request was answered.
type Answer struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
}

// Store keeps names and answers.
type Store struct {
	Pool *pgxpool.Pool
	Ring secret.Sealer
}

// name is one row: a key's holder, and the digest of what it calls its request.
type name struct {
	holder uuid.UUID
	digest string
}

func (n name) at(c secret.Column) secret.Binding { return c.At(n.holder.String(), n.digest) }

// Earlier is a request that had the name before.
type Earlier struct {
	request []byte // its digest; nil where that is not known yet
	answer  *Answer
}

// Answer is what the earlier request was answered, if it was the same. ErrReused, ErrInProgress.
func (e *Earlier) Answer(request []byte) (Answer, error) {
	switch {
	case e.request != nil && !bytes.Equal(e.request, request):
		return Answer{}, ErrReused
	case e.answer == nil:
		return Answer{}, ErrInProgress
	}
	return *e.answer, nil
}

// Begin takes a name for a request. Exactly one of turn and earlier is not nil.
// request is a digest of all that makes the request what it is; nil while that is not known,
// as for a body that is a stream.
func (s *Store) Begin(ctx context.Context, holder uuid.UUID, key string, request []byte) (turn *Turn, earlier *Earlier, err error) {
	sum := sha256.Sum256([]byte(key))
	n := name{holder, hex.EncodeToString(sum[:])}
	turn, earlier, err = s.begin(ctx, n, request)
	if err != nil {
		return nil, nil, fmt.Errorf("idempotency key: %w", err)
	}
	return turn, earlier, nil
}

func (s *Store) begin(ctx context.Context, n name, request []byte) (*Turn, *Earlier, error) {
	sealed, err := s.sealRequest(n, request)
	if err != nil {
		return nil, nil, err
	}
	owner := uuid.New()
	for {
		const take = `
INSERT INTO idempotency_keys AS k (holder, key_digest, state, owner, lease_until, request_sealed, expires_at)
VALUES ($1, $2, 'running', $3, now() + $4::interval, $5, now() + $6::interval)
ON CONFLICT (holder, key_digest) DO UPDATE
SET state = 'running', owner = $3, lease_until = now() + $4::interval, request_sealed = $5, answer_sealed = NULL, expires_at = now() + $6::interval
WHERE k.expires_at <= now() AND (k.state = 'done' OR k.lease_until <= now())`
		tag, err := s.Pool.Exec(ctx, take, n.holder, n.digest, owner, lease, sealed, Kept)
		if err != nil {
			return nil, nil, err
		}
		if tag.RowsAffected() == 1 {
			return s.turn(ctx, n, owner), nil, nil
		}
		earlier, dead, err := s.find(ctx, n)
		if errors.Is(err, pgx.ErrNoRows) {
			continue // it was forgotten in between
		}
		if err != nil {
			return nil, nil, err
		}
		if dead == uuid.Nil || earlier.request != nil && request != nil && !bytes.Equal(earlier.request, request) {
			return nil, earlier, nil
		}
		const inherit = `
UPDATE idempotency_keys SET owner = $3, lease_until = now() + $4::interval, request_sealed = $5
WHERE holder = $1 AND key_digest = $2 AND owner = $6 AND state = 'running' AND lease_until <= now()`
		tag, err = s.Pool.Exec(ctx, inherit, n.holder, n.digest, owner, lease, sealed, dead)
		if err != nil {
			return nil, nil, err
		}
		if tag.RowsAffected() == 1 {
			return s.turn(ctx, n, owner), nil, nil
		}
	}
}

// find reads who has a name; dead is its owner where that one's lease has ended.
func (s *Store) find(ctx context.Context, n name) (e *Earlier, dead uuid.UUID, err error) {
	var request, answer []byte
	var over bool
	const q = `SELECT owner, state = 'running' AND lease_until <= now(), request_sealed, answer_sealed FROM idempotency_keys WHERE holder = $1 AND key_digest = $2`
	if err := s.Pool.QueryRow(ctx, q, n.holder, n.digest).Scan(&dead, &over, &request, &answer); err != nil {
		return nil, uuid.Nil, err
	}
	if !over {
		dead = uuid.Nil
	}
	e = &Earlier{}
	if request != nil {
		opened, err := s.Ring.Open(request, n.at(requestColumn))
		if err != nil {
			return nil, uuid.Nil, err
		}
		e.request = []byte(opened.Reveal())
	}
	if answer != nil {
		opened, err := s.Ring.Open(answer, n.at(answerColumn))
		if err != nil {
			return nil, uuid.Nil, err
		}
		e.answer = &Answer{}
		if err := json.Unmarshal([]byte(opened.Reveal()), e.answer); err != nil {
			return nil, uuid.Nil, errors.New("the stored answer is damaged") // the error of encoding/json could quote it
		}
	}
	return e, dead, nil
}

func (s *Store) sealRequest(n name, request []byte) ([]byte, error) {
	if request == nil {
		return nil, nil
	}
	return s.Ring.Seal(secret.New(string(request)), n.at(requestColumn))
}

// Prune removes names that are past their day, and says how many.
func (s *Store) Prune(ctx context.Context) (int64, error) {
	const batch = 1000
	const q = `
WITH old AS MATERIALIZED (
	SELECT holder, key_digest FROM idempotency_keys WHERE expires_at <= now() AND (state = 'done' OR lease_until <= now())
	ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_keys k USING old WHERE k.holder = old.holder AND k.key_digest = old.key_digest`
	for removed := int64(0); ; {
		tag, err := s.Pool.Exec(ctx, q, batch)
		if err != nil {
			return removed, fmt.Errorf("prune idempotency keys: %w", err)
		}
		if removed += tag.RowsAffected(); tag.RowsAffected() < batch {
			return removed, nil
		}
	}
}
