package changes

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Topic says what kind of thing changed, and with it what Key names.
type Topic string

// The topics. A replica that does not know a topic ignores it, so that a newer
// version may add one.
const (
	Tenant      Topic = "tenant"      // Key: tenant id. Its status, agents, aliases or domains changed.
	Tenants     Topic = "tenants"     // Key: suite_id. Many tenants of the suite changed at once, as Tenant says of one.
	Suite       Topic = "suite"       // Key: suite_id. The suite's row or its domains changed.
	Credentials Topic = "credentials" // Key: tenant id. A forced refresh or a revocation is done: read them again.
	Keyring     Topic = "keyring"     // Key: empty. The keyset was rotated.
	APIKey      Topic = "api_key"     // Key: id of the API key.
	NewTenant   Topic = "new_tenant"  // Key: suite_id + "/" + corp_id.
	Hosts       Topic = "hosts"       // Key: a host, or empty for any. Which tenant its pages, and those below it, lead to may have changed.

	// Everything: forget all that is held. A Listener hands it out when it was away for
	// too long to know what it missed; appended it is only after a restore of the database.
	Everything Topic = "*"
)

// Change is one thing that changed.
type Change struct {
	ID    int64
	Topic Topic
	Key   string
}

// Execer runs one statement: a pool, a connection or a transaction.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const (
	channel = "suitesign_changes" // what LISTEN and append_change's NOTIFY meet on
	window  = 30 * time.Second    // how far back a poll reads again
	kept    = time.Hour           // how long rows are kept
)

// Append says that something changed. Called with the transaction that changes
// it, it is heard exactly when that transaction commits.
func Append(ctx context.Context, q Execer, topic Topic, key string) error {
	// A function with its owner's rights: who is bound to a tenant tells of its changes and reads nobody's.
	if _, err := q.Exec(ctx, `SELECT append_change($1, $2)`, string(topic), key); err != nil {
		return fmt.Errorf("append change %s %q: %w", topic, key, err)
	}
	return nil
}

// Prune drops what is older than any listener reads, and says how many rows that were.
func Prune(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	tag, err := pool.Exec(ctx, `DELETE FROM changes WHERE at < now() - $1::interval`, kept)
	if err != nil {
		return 0, fmt.Errorf("prune changes: %w", err)
	}
	return tag.RowsAffected(), nil
}
