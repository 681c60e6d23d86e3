package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"suitesign/secret"
	"suitesign/web/apikey"
	"suitesign/wecom"
)

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }

// The keys of a demo are good for what they are for, made once and then kept.
func TestDemoKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "demo-keys.json")
	k, err := loadDemoKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.ParseMasterKey(secret.New(k.MasterKey)); err != nil {
		t.Error(err)
	}
	if err := apikey.CheckBootstrap(secret.New(k.APIKey)); err != nil {
		t.Error(err)
	}
	if _, err := wecom.ParseCallbackKey(secret.New(k.CallbackToken), secret.New(k.EncodingAESKey)); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keys' file is %v, %v; want it for its owner only", info.Mode(), err)
	}
	again, err := loadDemoKeys(path)
	if err != nil || again != k {
		t.Errorf("read again the keys are others, %v", err)
	}
	if other, err := loadDemoKeys(filepath.Join(t.TempDir(), "k")); err != nil || other.MasterKey == k.MasterKey || other.APIKey == k.APIKey {
		t.Errorf("another demo has the same keys, %v", err)
	}
}

func TestDemoKeysThatAreDamaged(t *testing.T) {
	for _, text := range []string{"", "{", "{}", "[]", `{"master_key":"x"}`} {
		path := filepath.Join(t.TempDir(), "demo-keys.json")
		write(t, path, text)
		if _, err := loadDemoKeys(path); !contains(err, "afresh") || !contains(err, path) {
			t.Errorf("with %q: %v, want which file, and what to do", text, err)
		}
		if kept, err := os.ReadFile(path); err != nil || string(kept) != text {
			t.Errorf("with %q: the file is now %q, %v", text, kept, err)
		}
	}
}

func TestWriteAtomicallyLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "two"} {
		if err := writeAtomically(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "two" {
		t.Errorf("the file is %q, %v", got, err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writeAtomically(filepath.Join(dir, "d"), []byte("x")); err == nil {
		t.Error("a folder was written over")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("left behind are %v, %v", entries, err)
	}
}
