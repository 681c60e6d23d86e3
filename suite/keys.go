package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"suitesign/secret"
	"suitesign/wecom"
)

// Callback keys are kept in memory, so that a burst of pushes costs one
// statement each. A changed pair is heard of by the topic "suite"; where that
// is lost, keysFor bounds the age, and an envelope that does not open has the
// row read again, at most once per keysRetry.
const (
	keysFor   = 5 * time.Second
	keysRetry = time.Second
)

// doorKeys is what the callbacks of one suite need to know of it.
type doorKeys struct {
	keys     wecom.Keys // the current pair, then the one before
	provider wecom.CorpID
	readAt   time.Time
}

// keyCache holds the doorKeys of suites that exist; what does not exist is not remembered.
type keyCache struct {
	mu     sync.Mutex
	suites map[wecom.SuiteID]doorKeys
}

func (c *keyCache) get(id wecom.SuiteID, now time.Time, age time.Duration) (doorKeys, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.suites[id]
	return d, ok && now.Sub(d.readAt) < age
}

func (c *keyCache) put(id wecom.SuiteID, d doorKeys) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.suites == nil {
		c.suites = make(map[wecom.SuiteID]doorKeys)
	}
	c.suites[id] = d
}

func (c *keyCache) forget(id wecom.SuiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.suites, id)
}

func (c *keyCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suites = nil
}

// readKeys reads a suite's callback pairs. ErrNotFound, also for an internal suite.
func (s *Store) readKeys(ctx context.Context, id wecom.SuiteID) (doorKeys, error) {
	const q = `
SELECT provider_corp_id, callback_token_sealed, encoding_aes_key_sealed,
	CASE WHEN previous_until > now() THEN previous_callback_token_sealed END,
	CASE WHEN previous_until > now() THEN previous_encoding_aes_key_sealed END
FROM suites WHERE suite_id = $1 AND kind <> 'internal'`
	var d doorKeys
	var sealed [4][]byte
	err := s.Pool.QueryRow(ctx, q, id).Scan(&d.provider, &sealed[0], &sealed[1], &sealed[2], &sealed[3])
	if errors.Is(err, pgx.ErrNoRows) {
		return doorKeys{}, fmt.Errorf("suite %s: %w", id, ErrNotFound)
	} else if err != nil {
		return doorKeys{}, fmt.Errorf("suite %s: callback keys: %w", id, err)
	}
	current, err := s.openPair(id, "", sealed[0], sealed[1])
	if err != nil {
		return doorKeys{}, fmt.Errorf("suite %s: callback keys: %w", id, err)
	}
	d.keys = wecom.Keys{current}
	if sealed[2] != nil && sealed[3] != nil {
		// A previous pair that does not open must not take the current one with it.
		if previous, err := s.openPair(id, "previous_", sealed[2], sealed[3]); err == nil {
			d.keys = append(d.keys, previous)
		}
	}
	return d, nil
}

func (s *Store) openPair(id wecom.SuiteID, prefix string, token, key []byte) (wecom.CallbackKey, error) {
	var opened [2]secret.String
	for i, v := range []struct {
		sealed []byte
		column string
	}{{token, "callback_token_sealed"}, {key, "encoding_aes_key_sealed"}} {
		var err error
		if opened[i], err = open(s.Ring, v.sealed, bound("suites", prefix+v.column, id)); err != nil {
			return wecom.CallbackKey{}, err
		}
	}
	return wecom.ParseCallbackKey(opened[0], opened[1])
}
