package wecomtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"suitesign/secret"
	"suitesign/wecom"
)

// Verification is the outcome of the GET with which the platform checks a callback
// URL before it pushes anything there.
type Verification struct {
	Door  PushDoor `json:"door"`
	URL   string   `json:"url"`
	OK    bool     `json:"ok"`
	Error string   `json:"error,omitempty"`
}

// ensureVerified checks a door's URL unless it has passed before. As on the
// platform, nothing is pushed before that.
func (s *Server) ensureVerified(ctx context.Context, su *suite, door PushDoor, corpID wecom.CorpID) error {
	passed := func() (string, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return su.url(door, corpID), su.SkipVerification || su.verified[door] == su.url(door, "")
	}
	if _, ok := passed(); ok {
		return nil
	}
	su.verifies.Lock()
	defer su.verifies.Unlock()
	where, ok := passed() // by another push, meanwhile
	if ok {
		return nil
	}
	if err := s.verify(ctx, su, where); err != nil {
		return err
	}
	s.mu.Lock()
	su.verified[door] = su.url(door, "")
	s.changed()
	s.mu.Unlock()
	return nil
}

// verify asks a callback URL to decrypt an echostr. The receiveid of this one
// is the provider's corpid, at either door.
func (s *Server) verify(ctx context.Context, su *suite, where string) error {
	s.mu.Lock()
	token, key := su.Token, su.EncodingAESKey
	receiveID := string(su.ProviderCorpID)
	if su.Personal {
		receiveID = ""
	}
	s.mu.Unlock()
	k, err := wecom.ParseCallbackKey(secret.New(token), secret.New(key))
	if err != nil {
		return err
	}
	want := hint(s.now())
	echo, q, err := k.SealEcho([]byte(want), receiveID, strconv.FormatInt(s.now().Unix(), 10), letters(16))
	if err != nil {
		return err
	}
	query := url.Values{"msg_signature": {q.Signature}, "timestamp": {q.Timestamp}, "nonce": {q.Nonce}, "echostr": {echo}}
	status, answer, err := s.exchangeHTTP(ctx, http.MethodGet, where, query, nil)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("HTTP status %d", status)
	case answer != want:
		return errors.New("the answer is not the decrypted echostr")
	}
	return nil
}

// Verify checks both callback URLs of a suite now, whether or not they passed
// before, as saving them in the provider's console does. Without any URL there is
// nothing to check.
func (s *Server) Verify(ctx context.Context, id wecom.SuiteID) ([]Verification, error) {
	s.mu.Lock()
	su := s.suites[id]
	s.mu.Unlock()
	if su == nil {
		return nil, fmt.Errorf("%w: no suite %q; POST /sim/suites makes one", ErrUnknown, id)
	}
	out := []Verification{}
	for _, door := range []PushDoor{Command, Data} {
		s.mu.Lock()
		where, key := su.url(door, su.ProviderCorpID), su.url(door, "")
		delete(su.verified, door)
		s.mu.Unlock()
		if where == "" {
			continue
		}
		v := Verification{Door: door, URL: where, OK: true}
		if err := s.verify(ctx, su, where); err != nil {
			v.OK, v.Error = false, err.Error()
		} else {
			s.mu.Lock()
			su.verified[door] = key
			s.changed()
			s.mu.Unlock()
		}
		out = append(out, v)
	}
	return out, nil
}
