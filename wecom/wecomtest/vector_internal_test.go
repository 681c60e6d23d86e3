package wecomtest

import "testing"

// The published vectors of the JS-SDK signature, and two pairs that must differ
// (developer.work.weixin.qq.com/document/path/90506).
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	const published = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
	for _, v := range []struct{ ticket, nonce, timestamp, page, want string }{
		{published, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com?params=value", "0f9de62fce790f9a083d5c99e95740ceb90c27ed"},
		{published, "Wm3WZYTPz0wzccnW", "1414587457", "http://mp.weixin.qq.com", "f4d90daf4b3bca3078ab155816175ba34c443a7b"},
		{"T1", "N1", "1700000000", "https://a.example.com/p?x=%E4%BD%A0&y=1", "dc332564e16eeda7059add073829072ccfe4e750"},
		{"T1", "N1", "1700000000", "https://a.example.com/p?x=你&y=1", "17bbc75df9625be2a8276d60da4a1ba62d851331"},
		{"T1", "N1", "1700000000", "https://a.example.com/", "ebe7e3e4a806c5a45bf3c9252870ee4a6e9bba80"},
		{"T1", "N1", "1700000000", "https://a.example.com", "8d491a037a16d64a72e8ea573236d642d20c666d"},
	} {
		if got := signature(v.ticket, v.nonce, v.timestamp, v.page); got != v.want {
			t.Errorf("signature for %s = %s, want %s", v.page, got, v.want)
		}
	}
}
