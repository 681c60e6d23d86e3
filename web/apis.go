package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"suitesign/wecom/jsapi"
)

// apisETag names the catalogue that this binary holds.
var apisETag = func() string {
	sum := sha256.Sum256(jsapi.JSON)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}()

// apis answers GET /api/jssdk/apis: the catalogue of JS APIs. Unlike signatures
// it is the same for everybody, speaks of no tenant and was published by the
// platform, so every origin may read it and every cache may keep it; the next
// version of the binary may have another one, hence not for long.
func (s *Server) apis(c *gin.Context) error {
	if err := s.limitPage(c); err != nil {
		return err
	}
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Type", "application/json")
	h.Set("ETag", apisETag)
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(jsapi.JSON))
	return nil
}
