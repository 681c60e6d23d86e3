package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
		if err := json.Unmarshal(data, &k); err != nil || !k.complete() {
			return k, fmt.Errorf("%s is damaged: %s", path, afresh(filepath.Dir(path)))
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

// complete tells whether nothing is missing.
func (k demoKeys) complete() bool {
	return k.MasterKey != "" && k.APIKey != "" && k.SuiteSecret != "" && k.CallbackToken != "" && k.EncodingAESKey != ""
}

func afresh(dir string) string { return "remove " + dir + " to start the demo afresh" }

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
