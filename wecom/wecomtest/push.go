package wecomtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"suitesign/secret"
	"suitesign/wecom"
)

// PushDoor is one of a suite's two callback URLs.
type PushDoor string

// The callback URLs.
const (
	Command PushDoor = "command" // 指令回调
	Data    PushDoor = "data"    // 数据回调
)

// Delivery is one push and what became of it. A push that is not answered as the
// platform wants it is repeated after 5 s, three times at most, each time in a new
// envelope.
type Delivery struct {
	ID       int64         `json:"id"`
	SuiteID  wecom.SuiteID `json:"suite_id"`
	CorpID   wecom.CorpID  `json:"corp_id,omitempty"`
	Door     PushDoor      `json:"door"`
	Event    string        `json:"event"` // InfoType, or Event
	State    DeliveryState `json:"state"`
	SHA256   string        `json:"message_sha256"` // of the message without its envelope
	Message  string        `json:"message"`
	At       time.Time     `json:"at"`
	Attempts []Attempt     `json:"attempts"`
}

// DeliveryState is what became of a push.
type DeliveryState string

// The states of a push.
const (
	Pending   DeliveryState = "pending"   // not answered yet, or to be repeated
	Delivered DeliveryState = "delivered" // answered as the platform wants it
	Failed    DeliveryState = "failed"    // given up after the last repetition
	Lost      DeliveryState = "lost"      // a fault let it drop on the way
	Unsent    DeliveryState = "unsent"    // the suite has no callback URL, or it did not pass verification
)

// Attempt is one try to deliver.
type Attempt struct {
	At        time.Time `json:"at"`
	OK        bool      `json:"ok"`
	Status    int       `json:"status,omitempty"`
	Answer    string    `json:"answer,omitempty"` // the body, up to 200 bytes
	LatencyMS float64   `json:"latency_ms"`
	Error     string    `json:"error,omitempty"` // why it counts as failed
}

const (
	retries        = 3
	retryAfter     = 5 * time.Second // not published; the time a push may take is
	authBudget     = time.Second     // developer.work.weixin.qq.com/document/path/90642
	keepDeliveries = 10_000
	atOnce         = 64 // pushes under way at the same time
)

// quick are the events that have to be answered within authBudget.
var quick = []string{"create_auth", "change_auth", "cancel_auth", "reset_permanent_code", "device_data_auth_change"}

// pushLog is the youngest deliveries, the newest last.
type pushLog struct {
	lastID int64
	list   []*delivery
	counts map[DeliveryState]int
}

type delivery struct {
	Delivery
	log   *pushLog
	tries int // attempts that are no extra copies
}

func (l *pushLog) add(d *delivery) {
	l.lastID++
	d.ID, d.log = l.lastID, l
	if len(l.list) >= 2*keepDeliveries {
		l.list = slices.Clone(l.list[len(l.list)-keepDeliveries:])
	}
	l.list = append(l.list, d)
	l.counts[d.State]++
}

func (d *delivery) settle(state DeliveryState) {
	d.log.counts[d.State]--
	d.State = state
	d.log.counts[d.State]++
}

func (d *delivery) clone() Delivery {
	c := d.Delivery
	c.Attempts = append([]Attempt{}, d.Attempts...)
	return c
}

func newCallbackClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: atOnce, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// url is where a suite's pushes of a door go, "" if nowhere.
func (su *suite) url(door PushDoor, corpID wecom.CorpID) string {
	u := su.CommandURL
	if door == Data {
		u = su.DataURL
	}
	if u == "" && su.CallbackURL != "" {
		u = strings.TrimSuffix(su.CallbackURL, "/") + "/" + string(door)
	}
	u = strings.ReplaceAll(u, "{suite_id}", string(su.SuiteID))
	return strings.ReplaceAll(u, "$CORPID$", string(corpID))
}

func (su *suite) receiveID(door PushDoor, corpID wecom.CorpID) string {
	switch {
	case su.Personal:
		return ""
	case door == Data && corpID != "":
		return string(corpID)
	default:
		return string(su.SuiteID)
	}
}

// push delivers a message: the first attempt before it answers, repetitions later.
func (s *Server) push(ctx context.Context, su *suite, door PushDoor, corpID wecom.CorpID, event string, message []byte) Delivery {
	sum := sha256.Sum256(message)
	s.mu.Lock()
	d := &delivery{Delivery: Delivery{SuiteID: su.SuiteID, CorpID: corpID, Door: door, Event: event, State: Pending,
		SHA256: hex.EncodeToString(sum[:]), Message: string(message), At: s.now(), Attempts: []Attempt{}}}
	s.pushes.add(d)
	f := s.take(Callbacks, su.SuiteID, corpID)
	where := su.url(door, corpID)
	switch {
	case where == "":
		d.settle(Unsent)
	case f != nil && f.fault != nil && f.Kind == Drop:
		d.settle(Lost)
	}
	sent := d.State == Pending
	s.mu.Unlock()
	if sent {
		s.deliver(ctx, su, d, f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return d.clone()
}

func (s *Server) deliver(ctx context.Context, su *suite, d *delivery, f *activeFault) {
	if f != nil && f.delay > 0 {
		t := time.NewTimer(f.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-s.closing.Done():
		}
	}
	if err := s.ensureVerified(ctx, su, d.Door, d.CorpID); err != nil {
		s.mu.Lock()
		d.Attempts = append(d.Attempts, Attempt{At: s.now(), Error: "verification: " + err.Error()})
		d.settle(Unsent)
		s.mu.Unlock()
		return
	}
	var copies sync.WaitGroup
	if f != nil && f.fault != nil && f.Kind == Duplicate {
		for range f.n {
			copies.Go(func() { s.attempt(ctx, su, d, true) })
		}
	}
	s.attempt(ctx, su, d, false)
	copies.Wait()
}

// attempt sends a message once. Unless it is an extra copy, a failure is repeated
// later.
func (s *Server) attempt(ctx context.Context, su *suite, d *delivery, extra bool) {
	s.slots <- struct{}{}
	a := s.send(ctx, su, &d.Delivery)
	<-s.slots
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Attempts = append(d.Attempts, a)
	if !extra {
		d.tries++
	}
	log := s.cfg.Log.With("suite_id", d.SuiteID, "event", d.Event, "delivery", d.ID, "attempt", len(d.Attempts), "status", a.Status)
	switch {
	case a.OK:
		if d.State != Delivered {
			d.settle(Delivered)
		}
		log.Info("callback delivered", "latency_ms", a.LatencyMS)
	case extra:
	case d.tries > retries:
		if d.State == Pending {
			d.settle(Failed)
		}
		log.Warn("callback given up", "error", a.Error)
	default:
		log.Warn("callback failed", "error", a.Error)
		s.later(retryAfter, func() { s.attempt(context.WithoutCancel(ctx), su, d, false) })
	}
}

// later runs f after a while, unless the simulator is closed by then.
func (s *Server) later(d time.Duration, f func()) (stop func() bool) {
	return s.cfg.Clock.AfterFunc(d, func() {
		if s.begin() {
			defer s.working.Done()
			f()
		}
	})
}

// begin notes that something of the simulator's own is under way, which Close
// waits for. It is refused once Close has begun.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.working.Add(1)
	return true
}

// send seals the message anew and posts it.
func (s *Server) send(ctx context.Context, su *suite, d *Delivery) Attempt {
	a := Attempt{At: s.now()}
	body, query, err := s.seal(su, d.Door, d.CorpID, []byte(d.Message))
	if err != nil {
		a.Error = err.Error()
		return a
	}
	s.mu.Lock()
	where := su.url(d.Door, d.CorpID)
	s.mu.Unlock()
	began := time.Now()
	status, answer, err := s.exchangeHTTP(ctx, http.MethodPost, where, query, body)
	took := time.Since(began)
	a.LatencyMS = float64(took.Microseconds()) / 1000
	a.Status, a.Answer = status, answer
	switch {
	case err != nil:
		a.Error = err.Error()
	case status != http.StatusOK:
		a.Error = fmt.Sprintf("HTTP status %d", status)
	case d.Door == Command && answer != "success":
		a.Error = "the answer is not exactly success"
	case d.Door == Data && answer != "success" && answer != "" && !strings.HasPrefix(answer, "<xml"):
		a.Error = "the answer is neither empty nor success nor an encrypted reply"
	case d.Door == Command && slices.Contains(quick, d.Event) && took > authBudget:
		a.Error = "answered after more than 1000 ms"
	default:
		a.OK = true
	}
	return a
}

// seal puts a message into a new envelope for one of the suite's doors.
func (s *Server) seal(su *suite, door PushDoor, corpID wecom.CorpID, message []byte) ([]byte, url.Values, error) {
	s.mu.Lock()
	token, key := su.Token, su.EncodingAESKey
	receiveID := su.receiveID(door, corpID)
	s.mu.Unlock()
	k, err := wecom.ParseCallbackKey(secret.New(token), secret.New(key))
	if err != nil {
		return nil, nil, err
	}
	body, q, err := k.Seal(message, receiveID, strconv.FormatInt(s.now().Unix(), 10), letters(16))
	if err != nil {
		return nil, nil, err
	}
	return body, url.Values{"msg_signature": {q.Signature}, "timestamp": {q.Timestamp}, "nonce": {q.Nonce}}, nil
}

// exchangeHTTP calls the product and answers with the beginning of its answer.
func (s *Server) exchangeHTTP(ctx context.Context, method, where string, query url.Values, body []byte) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.AnswerWithin)
	defer cancel()
	stop := context.AfterFunc(s.closing, cancel) //nolint:contextcheck // the simulator's end ends it, too
	defer stop()
	u, err := url.Parse(where)
	if err != nil {
		return 0, "", err
	}
	all := u.Query()
	for name, v := range query {
		all[name] = v
	}
	u.RawQuery = all.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "text/xml")
	}
	r.Header.Set("User-Agent", "Mozilla/4.0")
	res, err := s.client.Do(r)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return res.StatusCode, "", err
	}
	answer := string(b)
	if len(answer) > 200 {
		answer = answer[:200]
	}
	return res.StatusCode, answer, nil
}
