package signing_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"suitesign/secret"
	"suitesign/signing"
)

// TestSum: WeCom's published vectors, and our own for what an implementation may
// be tempted to normalise.
func TestSum(t *testing.T) {
	t.Parallel()
	const published = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
	for _, tt := range []struct{ id, ticket, nonce, timestamp, url, want string }{
		{"J1", published, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com?params=value", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"},
		{"J2", published, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com", "f4d90daf4b3bca3078ab155816175ba34c443a7b"},
		{"J5", "T1", "N1", "1700000000", "https://a.example.com/p?x=%E4%BD%A0&y=1", "dc332564e16eeda7059add073829072ccfe4e750"},
		{"J6", "T1", "N1", "1700000000", "https://a.example.com/p?x=你&y=1", "17bbc75df9625be2a8276d60da4a1ba62d851331"},
		{"J7", "T1", "N1", "1700000000", "https://a.example.com/", "ebe7e3e4a806c5a45bf3c9252870ee4a6e9bba80"},
		{"J8", "T1", "N1", "1700000000", "https://a.example.com", "8d491a037a16d64a72e8ea573236d642d20c666d"},
	} {
		if got := signing.Sum(secret.New(tt.ticket), tt.nonce, tt.timestamp, tt.url); got != tt.want {
			t.Errorf("%s: sum = %s, want %s", tt.id, got, tt.want)
		}
	}
}

// TestNoDamagedTimestamp: converters turn the & and the first letters of
// "&timestamp" into a multiplication sign, and then every signature is wrong. No
// source may carry that.
func TestNoDamagedTimestamp(t *testing.T) {
	t.Parallel()
	damaged := string(rune(0xD7)) + "tamp"
	kinds := []string{".go", ".js", ".mjs", ".ts", ".vue", ".html", ".md", ".yaml", ".yml", ".sql"}
	seen := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == "node_modules" || e.Name() != ".." && e.Name() != ".ci" && strings.HasPrefix(e.Name(), ".")):
			return fs.SkipDir
		case e.IsDir() || !slices.Contains(kinds, filepath.Ext(path)):
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		if strings.Contains(string(b), damaged) {
			t.Errorf("%s has a damaged &timestamp", path)
		}
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("looked at %d files, %v; want the whole tree", seen, err)
	}
}
