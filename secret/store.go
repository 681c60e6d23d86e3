package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"suitesign/audit"
	"suitesign/changes"
)

var (
	// ErrWrongMasterKey is returned when the keyset in the database was wrapped by another master key.
	ErrWrongMasterKey = errors.New("the master key does not open the keyset in this database: it was made with another one")
	// ErrNoKeyset is returned when the database has no keyset yet.
	ErrNoKeyset = errors.New("the database has no keyset: run `suitesign keys init`")
)

// wrapping is the associated data of the wrapped keyset: it is no value of any row.
var wrapping = []byte("suitesign/1 keyset")

// row is the one row of keysets.
type row struct {
	wrapped   []byte
	version   int64
	updatedAt time.Time
}

// LoadOrCreate answers with the database's ring, and makes it where there is
// none. Of processes that start at the same time one makes it for all.
func LoadOrCreate(ctx context.Context, pool *pgxpool.Pool, mk MasterKey) (k *Keyring, created bool, err error) {
	have, err := readRow(ctx, pool)
	if errors.Is(err, ErrNoKeyset) {
		have, created, err = createRow(ctx, pool, mk)
	}
	if err != nil {
		return nil, false, err
	}
	k, err = have.keyring(pool, mk)
	return k, created, err
}

// Load answers with the database's ring. ErrNoKeyset where there is none.
func Load(ctx context.Context, pool *pgxpool.Pool, mk MasterKey) (*Keyring, error) {
	have, err := readRow(ctx, pool)
	if err != nil {
		return nil, err
	}
	return have.keyring(pool, mk)
}

func (have row) keyring(pool *pgxpool.Pool, mk MasterKey) (*Keyring, error) {
	r, err := have.open(mk)
	if err != nil {
		return nil, err
	}
	return newKeyring(pool, mk, r.handle, have.version, have.updatedAt)
}

// Rotate adds a key to the ring and makes it the one that seals. Replicas hear of
// it, or learn of it from the first value that they cannot open.
func Rotate(ctx context.Context, pool *pgxpool.Pool, mk MasterKey) (KeyringInfo, error) {
	var info KeyringInfo
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		have, err := scanRow(tx.QueryRow(ctx, `SELECT wrapped, version, updated_at FROM keysets FOR UPDATE`))
		if err != nil {
			return err
		}
		old, err := have.open(mk)
		if err != nil {
			return err
		}
		retired, err := retiredKeys(ctx, tx)
		if err != nil {
			return err
		}
		handle, err := withNewPrimary(old.handle, retired)
		if err != nil {
			return err
		}
		wrapped, err := wrap(handle, mk)
		if err != nil {
			return err
		}
		now, err := scanRow(tx.QueryRow(ctx,
			`UPDATE keysets SET wrapped = $1, version = version + 1, updated_at = now() RETURNING wrapped, version, updated_at`, wrapped))
		if err != nil {
			return err
		}
		r, err := now.open(mk) // what was stored opens, or nothing is stored
		if err != nil {
			return err
		}
		info = r.info
		if err := logKeyring(ctx, tx, audit.KeyringRotate, fieldsOf(old.info), fieldsOf(info)); err != nil {
			return err
		}
		return changes.Append(ctx, tx, changes.Keyring, "")
	})
	if err != nil {
		return KeyringInfo{}, fmt.Errorf("rotate the keyset: %w", err)
	}
	return info, nil
}

// withNewPrimary adds a key. Its id is random, and must not be one that the database refuses.
func withNewPrimary(old *keyset.Handle, retired [][]byte) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(old)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	if among(retired, id) {
		return withNewPrimary(old, retired)
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	return m.Handle()
}

func readRow(ctx context.Context, pool *pgxpool.Pool) (row, error) {
	return scanRow(pool.QueryRow(ctx, `SELECT wrapped, version, updated_at FROM keysets`))
}

// createRow stores a new keyset unless somebody else was faster. The update of
// nothing writes to the log, so that either way what is answered is replicated.
func createRow(ctx context.Context, pool *pgxpool.Pool, mk MasterKey) (row, bool, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return row{}, false, fmt.Errorf("make a keyset: %w", err)
	}
	wrapped, err := wrap(handle, mk)
	if err != nil {
		return row{}, false, err
	}
	var have row
	var created bool
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		have, err = scanRow(tx.QueryRow(ctx, `INSERT INTO keysets (wrapped) VALUES ($1)
			ON CONFLICT (id) DO UPDATE SET id = keysets.id RETURNING wrapped, version, updated_at`, wrapped))
		if created = err == nil && bytes.Equal(have.wrapped, wrapped); !created {
			return err
		}
		r, err := have.open(mk)
		if err != nil {
			return err
		}
		return logKeyring(ctx, tx, audit.KeyringCreate, nil, fieldsOf(r.info))
	})
	if err != nil {
		return row{}, false, err
	}
	return have, created, nil
}

// logKeyring writes what became of the one keyring.
func logKeyring(ctx context.Context, tx pgx.Tx, action audit.Action, before, after audit.Fields) error {
	return audit.Append(ctx, tx, audit.Entry{Action: action, TargetID: "keyring", Before: before, After: after})
}

// fieldsOf are what may be told of a keyring: its keys' ids, which every sealed value begins with.
func fieldsOf(info KeyringInfo) audit.Fields {
	ids := make([]string, len(info.Keys))
	for i, id := range info.Keys {
		ids[i] = fmt.Sprintf("%08x", id)
	}
	return audit.Fields{"version": info.Version, "active_key": fmt.Sprintf("%08x", info.Primary), "keys": ids}
}

func scanRow(r pgx.Row) (row, error) {
	var have row
	err := r.Scan(&have.wrapped, &have.version, &have.updatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, ErrNoKeyset
	}
	if err != nil {
		return row{}, fmt.Errorf("read the keyset: %w", err)
	}
	return have, nil
}

func wrap(handle *keyset.Handle, mk MasterKey) ([]byte, error) {
	if mk.aead == nil {
		return nil, ErrMasterKey
	}
	var out bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), mk.aead, wrapping); err != nil {
		return nil, fmt.Errorf("wrap the keyset: %w", err)
	}
	return out.Bytes(), nil
}

func (have row) open(mk MasterKey) (*ring, error) {
	if mk.aead == nil {
		return nil, ErrMasterKey
	}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(have.wrapped)), mk.aead, wrapping)
	if err != nil {
		return nil, ErrWrongMasterKey // a damaged keyset looks the same from outside
	}
	return newRing(handle, have.version, have.updatedAt)
}
