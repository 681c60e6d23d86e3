package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"
)

// demoKeys are made at the first start and kept, so that the second start reads
// what the first one sealed.
type demoKeys struct {
	MasterKey      string `json:"master_key"`
	APIKey         string `json:"api_key"`
	SuiteSecret    string `json:"suite_secret"`
	CallbackToken  string `json:"callback_token"`
	EncodingAESKey string `json:"encoding_aes_key"`
}

func loadDemoKeys(path string) (demoKeys, error) {
	var k demoKeys
	data, err := os.ReadFile(path)
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &k); err != nil {
			return k, fmt.Errorf("%s is damaged (%w): remove the whole folder to start the demo afresh", path, err)
		}
		return k, nil
	case !errors.Is(err, fs.ErrNotExist):
		return k, fmt.Errorf("the demo keeps its keys in %s: %w", path, err)
	}
	k = demoKeys{
		MasterKey:     base64.StdEncoding.EncodeToString(random(32)),
		APIKey:        "demo-" + hex.EncodeToString(random(20)),
		SuiteSecret:   hex.EncodeToString(random(20)),
		CallbackToken: hex.EncodeToString(random(12)),
		// 43 characters of the alphabet that the console uses.
		EncodingAESKey: hex.EncodeToString(random(22))[:43],
	}
	data, err = json.MarshalIndent(k, "", "  ")
	if err != nil {
		return k, err
	}
	return k, writeAtomically(path, data)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// writeAtomically leaves either the old file or the new one, for its owner only.
func writeAtomically(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// claimForDemo marks an empty database as the demo's, and refuses one that is
// neither empty nor marked: a demo must never write into somebody's data.
func claimForDemo(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return errors.New("the demo's database does not answer; is SUITESIGN_DATABASE_URL right, or should it be unset?")
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // also after Ctrl-C
	const q = `
SELECT to_regclass('suitesign_demo.mark') IS NOT NULL,
	EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		AND n.nspname NOT LIKE 'pg\_temp\_%')`
	var marked, used bool
	if err := conn.QueryRow(ctx, q).Scan(&marked, &used); err != nil {
		return fmt.Errorf("look into the demo's database: %w", err)
	}
	if marked {
		return nil
	}
	if used {
		return errors.New("the database that SUITESIGN_DATABASE_URL names is not empty and not a demo's: name an empty one, or unset the variable and the demo starts its own PostgreSQL")
	}
	if _, err := conn.Exec(ctx, `CREATE SCHEMA suitesign_demo; CREATE TABLE suitesign_demo.mark (made_at timestamptz NOT NULL DEFAULT now())`); err != nil {
		return fmt.Errorf("mark the demo's database: %w", err)
	}
	return nil
}

// logWriter keeps what a package manager says for when it fails.
func (d *demoRun) logWriter() io.Writer {
	f, err := os.OpenFile(filepath.Join(d.Dir, "install.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return io.Discard
	}
	return f
}
