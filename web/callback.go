package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"suitesign/suite"
	"suitesign/wecom"
)

// Callbacks takes what WeCom tells; *suite.Callbacks does.
type Callbacks interface {
	// Verify opens the echostr of a URL verification.
	Verify(ctx context.Context, id wecom.SuiteID, door suite.Door, q wecom.Query, echostr string) ([]byte, error)
	// Known reports whether the suite's keys are in memory; it asks nobody.
	Known(id wecom.SuiteID) bool
	// Receive answers nil only when everything the push says is durable.
	Receive(ctx context.Context, id wecom.SuiteID, door suite.Door, q wecom.Query, body []byte) error
}

// callbackWithin is how long a callback may take, counted from its header. The
// platform waits for 1000 ms; what is not stored by then must be a 500, so that
// it delivers again, and 900 ms leave time for that answer to travel.
const callbackWithin = 850 * time.Millisecond

// errNotStored is what every failure of ours is for the platform: deliver again.
var errNotStored = errors.New("callback not stored")

// verifyCallback answers the provider console's URL verification.
func (s *Server) verifyCallback(door suite.Door) handler {
	return func(c *gin.Context) error {
		q, err := callbackQuery(c.Request.URL.RawQuery, "msg_signature", "timestamp", "nonce", "echostr")
		if err != nil {
			return err
		}
		return s.guardCallback(c, func(ctx context.Context) ([]byte, error) {
			return s.Callbacks.Verify(ctx, wecom.SuiteID(c.Param("suite_id")), door, envelopeQuery(q), q["echostr"])
		})
	}
}

// receiveCallback takes a push. Its answer is exactly "success", and only after
// what the push says is durable.
func (s *Server) receiveCallback(door suite.Door) handler {
	return func(c *gin.Context) error {
		q, err := callbackQuery(c.Request.URL.RawQuery, "msg_signature", "timestamp", "nonce")
		if err != nil {
			return err
		}
		if c.GetHeader("Content-Encoding") != "" {
			return errMediaType
		}
		body, err := io.ReadAll(c.Request.Body)
		if err != nil {
			return notStored(err)
		}
		return s.guardCallback(c, func(ctx context.Context) ([]byte, error) {
			err := s.Callbacks.Receive(ctx, wecom.SuiteID(c.Param("suite_id")), door, envelopeQuery(q), body)
			return []byte("success"), err
		})
	}
}

// guardCallback runs one callback within its time, and none at all for a source
// that keeps sending forgeries to this suite. The other suites of that source are
// answered: the platform itself forges, as it were, for a suite whose token is
// another one in the console. Suites that do not exist share one account, for
// whoever makes up ids makes up a new one each time, and each costs a query.
func (s *Server) guardCallback(c *gin.Context, take func(context.Context) ([]byte, error)) error {
	v := visitOf(c.Request.Context())
	suiteID := c.Param("suite_id")
	if wait, spent := s.forged.spent(v.ip, suiteID); spent {
		return tooMany(wait)
	}
	if wait, spent := s.forged.spent(v.ip, noSuite); spent && !s.Callbacks.Known(wecom.SuiteID(suiteID)) {
		return tooMany(wait)
	}
	ctx, cancel := context.WithDeadline(asWeCom(c.Request.Context()), v.start.Add(callbackWithin))
	defer cancel()
	answer, err := take(ctx)
	switch {
	case errors.Is(err, suite.ErrNotFound):
		s.forged.take(v.ip, noSuite)
	case errors.Is(err, suite.ErrForged):
		s.forged.take(v.ip, suiteID)
		v.err = err // which step refused it is told in the log only
	}
	if err != nil {
		return notStored(err)
	}
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, typePlain, answer)
	return nil
}

// noSuite is the account of all suites that do not exist; none has such an id.
const noSuite = "\x00"

// notStored makes a 500 of every error that is not the caller's.
func notStored(err error) error {
	var tooLarge *http.MaxBytesError
	for _, theirs := range []error{suite.ErrForged, suite.ErrMalformedCallback, suite.ErrNotFound} {
		if errors.Is(err, theirs) {
			return err
		}
	}
	if errors.As(err, &tooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", errNotStored, err)
}

func envelopeQuery(q map[string]string) wecom.Query {
	return wecom.Query{Signature: q["msg_signature"], Timestamp: q["timestamp"], Nonce: q["nonce"]}
}
