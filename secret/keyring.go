package secret

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/time/rate"
)

var (
	// ErrSealed is returned when a sealed value does not open: it was changed, or
	// moved to another row, column or table, or was never sealed.
	ErrSealed = errors.New("the sealed value does not open here")
	// ErrUnknownKey is returned when a value is sealed with a key that the ring does not have.
	ErrUnknownKey = errors.New("the value is sealed with a key that the keyring does not have")
)

// Binding says where a sealed value is stored. It opens nowhere else. Row is the
// text of the row's key columns joined by "/", as [Column.At] makes it.
type Binding struct{ Table, Column, Row string }

// associated joins the parts so that no two bindings give the same bytes.
func (b Binding) associated() []byte {
	out := []byte("suitesign/1")
	for _, part := range []string{b.Table, b.Column, b.Row} {
		out = binary.AppendUvarint(out, uint64(len(part)))
		out = append(out, part...)
	}
	return out
}

func (b Binding) String() string { return b.Table + "." + b.Column + " of " + b.Row }

// Sealer seals values for storage and opens them again. *Keyring is one.
type Sealer interface {
	Seal(v String, b Binding) ([]byte, error)
	Open(sealed []byte, b Binding) (String, error)
}

// A reload for an unknown key is allowed once a second, with a few to spare: a
// rotation needs one, and rows that are damaged must not turn into queries.
const (
	reloadEvery = time.Second
	reloadBurst = 3
	reloadWait  = 2 * time.Second
)

// Keyring is the ring of keys that seals and opens. It is safe for concurrent use.
type Keyring struct {
	pool   *pgxpool.Pool // nil for a ring that is kept nowhere
	master MasterKey

	reload  sync.Mutex    // one reload at a time
	unknown *rate.Limiter // of reloads for unknown keys
	ring    atomic.Pointer[ring]
}

// ring is one state of the keyset; it never changes.
type ring struct {
	handle *keyset.Handle
	aead   tink.AEAD
	info   KeyringInfo
	has    map[uint32]bool
}

// KeyringInfo tells about the keys of a ring, and nothing that has to be secret.
type KeyringInfo struct {
	Version   int64     `json:"version"` // goes up with each rotation
	Primary   uint32    `json:"primary"` // the key that seals
	Keys      []uint32  `json:"keys"`    // every key that opens, oldest first
	UpdatedAt time.Time `json:"updated_at"`
}

// NewEphemeral makes a ring with one new key that is kept nowhere, for tests.
func NewEphemeral() (*Keyring, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a keyset: %w", err)
	}
	return newKeyring(nil, MasterKey{}, handle, 1, time.Time{})
}

func newKeyring(pool *pgxpool.Pool, mk MasterKey, handle *keyset.Handle, version int64, at time.Time) (*Keyring, error) {
	r, err := newRing(handle, version, at)
	if err != nil {
		return nil, err
	}
	k := &Keyring{pool: pool, master: mk, unknown: rate.NewLimiter(rate.Every(reloadEvery), reloadBurst)}
	k.ring.Store(r)
	return k, nil
}

func newRing(handle *keyset.Handle, version int64, at time.Time) (*ring, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("read the keyset: %w", err)
	}
	keys := handle.KeysetInfo()
	r := &ring{handle: handle, aead: primitive, has: map[uint32]bool{}}
	r.info = KeyringInfo{Version: version, Primary: keys.GetPrimaryKeyId(), UpdatedAt: at}
	for _, key := range keys.GetKeyInfo() {
		r.info.Keys = append(r.info.Keys, key.GetKeyId())
		r.has[key.GetKeyId()] = true
	}
	return r, nil
}

// Seal seals a value for one place.
func (k *Keyring) Seal(v String, b Binding) ([]byte, error) {
	sealed, err := k.ring.Load().aead.Encrypt([]byte(v.Reveal()), b.associated())
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", b, err)
	}
	return sealed, nil
}

// Open opens what was sealed for the place. A key that the ring does not have may
// come from a rotation by another replica, so the ring is then read again.
func (k *Keyring) Open(sealed []byte, b Binding) (String, error) {
	r := k.ring.Load()
	id, ok := keyID(sealed)
	if !ok {
		return String{}, fmt.Errorf("%s: %w", b, ErrSealed)
	}
	if !r.has[id] {
		var err error
		if r, err = k.ringWith(id); err != nil {
			return String{}, fmt.Errorf("%s: %w", b, err)
		}
	}
	plain, err := r.aead.Decrypt(sealed, b.associated())
	if err != nil {
		return String{}, fmt.Errorf("%s: %w", b, ErrSealed) // tink says no more than that it failed
	}
	return New(string(plain)), nil
}

// ringWith answers with the ring once it has a key, reading it again if that is allowed.
//
//nolint:contextcheck,nolintlint // for its callers: Open has no context, by design
func (k *Keyring) ringWith(id uint32) (*ring, error) {
	k.reload.Lock()
	defer k.reload.Unlock()
	if r := k.ring.Load(); r.has[id] { // read while we waited
		return r, nil
	}
	unknown := fmt.Errorf("%w (key %d)", ErrUnknownKey, id)
	if k.pool == nil || !k.unknown.Allow() {
		return nil, unknown
	}
	// Sealing is no business that ends with a request, so Open has no context; this bounds the rare query.
	ctx, cancel := context.WithTimeout(context.Background(), reloadWait)
	defer cancel()
	if err := k.read(ctx); err != nil {
		return nil, errors.Join(unknown, err)
	}
	if r := k.ring.Load(); r.has[id] {
		return r, nil
	}
	return nil, unknown
}

// Reload reads the ring again, as after a rotation by another replica.
func (k *Keyring) Reload(ctx context.Context) error {
	if k.pool == nil {
		return nil
	}
	k.reload.Lock()
	defer k.reload.Unlock()
	return k.read(ctx)
}

// read replaces the ring by the database's, whatever its version: the database is the authority.
func (k *Keyring) read(ctx context.Context) error {
	row, err := readRow(ctx, k.pool)
	if err != nil {
		return err
	}
	r, err := row.open(k.master)
	if err != nil {
		return err
	}
	k.ring.Store(r)
	return nil
}

// Info tells about the ring as it is in memory.
func (k *Keyring) Info() KeyringInfo {
	info := k.ring.Load().info
	info.Keys = append([]uint32(nil), info.Keys...)
	return info
}

// keyID reads from a sealed value which key sealed it: tink puts a 1 and the id in front.
func keyID(sealed []byte) (uint32, bool) {
	if len(sealed) < cryptofmt.TinkPrefixSize || sealed[0] != cryptofmt.TinkStartByte {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:cryptofmt.TinkPrefixSize]), true
}
