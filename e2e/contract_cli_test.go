package e2e

import "encoding/base64"

// masterKey makes one.
func masterKey() string { return base64.StdEncoding.EncodeToString(randomBytes(32)) }
