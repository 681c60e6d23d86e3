package wecomtest

import (
	"crypto/sha1" //nolint:gosec // the JS-SDK signature is SHA-1 by definition
	"encoding/hex"
)

// signature is what a page's registration has to carry for a ticket
// (developer.work.weixin.qq.com/document/path/90506). Written here a second time
// on purpose: the simulator checks signatures, so it must not share the signer.
func signature(ticket, nonce, timestamp, page string) string {
	return sum("jsapi_ticket=" + ticket + "&noncestr=" + nonce + "&timestamp=" + timestamp + "&url=" + page)
}

func sum(s string) string {
	h := sha1.Sum([]byte(s)) //nolint:gosec // as above
	return hex.EncodeToString(h[:])
}
