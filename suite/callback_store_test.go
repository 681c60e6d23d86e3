package suite_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"suitesign/changes"
	"suitesign/secret"
	"suitesign/standby"
	"suitesign/suite"
	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

func TestABurstCostsOneStatementEach(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	var c counter
	r := h.replicaOn(h.newPool(func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = &c }))
	at := h.now()
	push := func(i int) {
		text := message("change_contact", at, "AuthCorpId", string(acme), "ChangeType", "create_user", "UserID", "u"+time.Duration(i).String())
		must(t, h.send(r, suiteID, suite.CommandDoor, "", text))
	}
	push(0) // reads the keys, too
	c.n.Store(0)
	told := value[int](h, `SELECT count(*) FROM changes`)
	const burst = 200
	for i := range burst {
		push(i + 1)
	}
	if got := c.n.Load(); got != burst {
		t.Errorf("%d statements for %d pushes, want one each", got, burst)
	}
	if got := value[int](h, `SELECT count(*) FROM changes`); got != told {
		t.Errorf("the burst appended %d changes, want none", got-told)
	}
	if got := value[int](h, `SELECT count(*) FROM callback_events WHERE info_type = 'change_contact'`); got != burst+1 {
		t.Errorf("events = %d, want %d", got, burst+1)
	}
}

// While the database cannot store, nothing is acknowledged, and the answer comes
// in time for the platform's second.
func TestNothingIsAcknowledgedThatIsNotStored(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	soon := func(t *testing.T, r *replica, text string) error {
		t.Helper()
		r.callbacks.Within = 0 // the real one
		body, v := h.sim.Seal(suiteID, wecomtest.Command, "", text)
		done := make(chan error, 1)
		go func() {
			done <- r.callbacks.Receive(context.Background(), suiteID, suite.CommandDoor, queryOf(v), body)
		}()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second): // 900 ms, and what a busy machine takes to notice
			t.Fatal("no answer")
			return nil
		}
	}
	for _, infoType := range []string{"suite_ticket", "create_auth", "change_auth", "cancel_auth", "change_contact"} {
		text := message(infoType, h.now(), "AuthCorpId", string(acme), "AuthCode", "some-code", "SuiteTicket", "some-ticket", "State", "x")
		t.Run(infoType+" with a locked table", func(t *testing.T) {
			r := h.another()
			must(t, h.send(r, suiteID, suite.CommandDoor, "", message("suite_ticket", h.now())))
			tx, err := h.newPool(nil).Begin(t.Context())
			must(t, err)
			defer tx.Rollback(context.Background())
			_, err = tx.Exec(t.Context(), `LOCK TABLE callback_events IN ACCESS EXCLUSIVE MODE`)
			must(t, err)
			wantErr(t, soon(t, r, text), context.DeadlineExceeded)
		})
		t.Run(infoType+" with the database away", func(t *testing.T) {
			r := h.another()
			must(t, h.send(r, suiteID, suite.CommandDoor, "", message("change_contact", h.now()))) // the keys are known
			r.pool.Close()
			if err := soon(t, r, text); err == nil {
				t.Error("acknowledged without a database")
			}
		})
		t.Run(infoType+" delivered again", func(t *testing.T) {
			if err := h.send(h.replica, suiteID, suite.CommandDoor, "", text); err != nil {
				t.Errorf("Receive = %v, want it stored", err)
			}
		})
	}
}

// What PostgreSQL rolled back so that another transaction can go on is stored all the
// same, without the platform's help; what is refused for good is not tried again.
func TestAPushThatWasGivenUpIsStoredAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code   string
		times  int
		stored bool
		tries  int64
	}{
		{"40P01", 1, true, 2},
		{"40001", 3, true, 4},
		{"40001", 9, false, 4},
		{"53100", 1, false, 1}, // disk_full: trying at once does not help
	} {
		t.Run(fmt.Sprint(tt.code, " ", tt.times), func(t *testing.T) {
			t.Parallel()
			h := ready(t)
			h.exec(`CREATE SEQUENCE tries`)
			h.exec(fmt.Sprintf(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF nextval('tries') <= %d THEN RAISE EXCEPTION 'refused' USING ERRCODE = '%s'; END IF; RETURN NEW; END $$`, tt.times, tt.code))
			h.exec(`CREATE TRIGGER refuse BEFORE INSERT ON callback_events FOR EACH ROW EXECUTE FUNCTION refuse()`)
			err := h.send(h.replica, suiteID, suite.CommandDoor, "", message("change_contact", h.now()))
			if (err == nil) != tt.stored {
				t.Errorf("Receive = %v, want success %v", err, tt.stored)
			}
			if n := value[int64](h, `SELECT last_value FROM tries`); n != tt.tries {
				t.Errorf("stored in %d tries, want %d", n, tt.tries)
			}
			want := 0
			if tt.stored {
				want = 1
			}
			if n := value[int](h, `SELECT count(*) FROM callback_events WHERE info_type = 'change_contact' AND deliveries = 1`); n != want {
				t.Errorf("%d events are kept, want %d", n, want)
			}
		})
	}
}

// cancelledWait makes every commit look like one whose wait for the standby was cancelled.
type cancelledWait struct {
	cfg *pgx.ConnConfig
	on  atomic.Bool
}

func (*cancelledWait) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}

func (c *cancelledWait) TraceQueryEnd(_ context.Context, conn *pgx.Conn, _ pgx.TraceQueryEndData) {
	if c.on.Load() {
		c.cfg.OnNotice(conn.PgConn(), &pgconn.Notice{Severity: "WARNING", Code: "01000", Routine: "SyncRepWaitForLSN"})
	}
}

// What is on the primary alone is not acknowledged, however good the statement's own
// end; the platform's redelivery is, once the standby has it.
func TestWhatNoStandbyHasIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	h := ready(t)
	h.install(suiteID, acme)
	wait := &cancelledWait{}
	r := h.replicaOn(h.newPool(func(cfg *pgxpool.Config) {
		cfg.ConnConfig.Tracer = wait
		standby.Follow(cfg.ConnConfig)
		wait.cfg = cfg.ConnConfig
	}))
	for _, infoType := range []string{"suite_ticket", "create_auth", "change_auth", "change_contact", "cancel_auth"} {
		text := message(infoType, h.now(), "AuthCorpId", string(acme), "AuthCode", "some-code", "SuiteTicket", "some-ticket", "State", "x")
		for range 2 { // the second time the row is there, which says nothing of the standby
			wait.on.Store(true)
			wantErr(t, h.send(r, suiteID, suite.CommandDoor, "", text), standby.ErrAlone)
		}
		wait.on.Store(false)
		if err := h.send(r, suiteID, suite.CommandDoor, "", text); err != nil {
			t.Errorf("%s once the standby is back: %v", infoType, err)
		}
	}
}

func TestPreviousPairIsAccepted(t *testing.T) {
	t.Parallel()
	h := ready(t)
	old := h.sim.State().Suites[0].Suite
	other := h.another()
	must(t, h.send(other, suiteID, suite.CommandDoor, "", message("tomorrows_news", h.now(), "State", "0"))) // has the keys

	next := old
	next.Token, next.EncodingAESKey = "", ""
	token, key := secret.New("NewToken1"), secret.New("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
	next.Token, next.EncodingAESKey = token.Reveal(), key.Reveal()
	out, err := h.store.Update(t.Context(), suiteID, suite.Patch{CallbackToken: &token, EncodingAESKey: &key})
	must(t, err)
	if out.PreviousUntil == nil || out.PreviousUntil.Before(h.now().Add(23*time.Hour)) {
		t.Errorf("previous pair accepted until %v, want some 24 h", out.PreviousUntil)
	}
	send := func(r *replica, su wecomtest.Suite, nonce string) error {
		body, q, err := keysOf(t, su).Seal([]byte(message("tomorrows_news", h.now(), "State", nonce)), string(suiteID), "1700000000", nonce)
		must(t, err)
		return r.callbacks.Receive(t.Context(), suiteID, suite.CommandDoor, q, body)
	}
	// A replica that has not heard of the change yet reads again before it refuses.
	clock := time.Now()
	other.callbacks.Now = func() time.Time { return clock.Add(2 * time.Second) }
	for name, r := range map[string]*replica{"here": h.replica, "there": other} {
		if name == "here" {
			r.callbacks.Handle(t.Context(), []changes.Change{{Topic: changes.Suite, Key: string(suiteID)}})
		}
		must(t, send(r, next, "1"+name))
		must(t, send(r, old, "2"+name))
	}
	h.exec(`UPDATE suites SET previous_until = now()`)
	h.callbacks.Handle(t.Context(), []changes.Change{{Topic: changes.Everything}})
	must(t, send(h.replica, next, "3"))
	wantErr(t, send(h.replica, old, "4"), suite.ErrForged)
}

func TestForgedCallbacksDoNotReadTheRowEachTime(t *testing.T) {
	t.Parallel()
	h := ready(t)
	var c counter
	r := h.replicaOn(h.newPool(func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = &c }))
	now := time.Now()
	r.callbacks.Now = func() time.Time { return now }
	body, v := h.sim.Seal(suiteID, wecomtest.Command, "", message("suite_ticket", time.Now()))
	q := queryOf(v)
	q.Nonce = "forged"
	for range 50 {
		wantErr(t, r.callbacks.Receive(t.Context(), suiteID, suite.CommandDoor, q, body), suite.ErrForged)
	}
	if got := c.n.Load(); got != 1 {
		t.Errorf("50 forged callbacks made %d statements, want 1", got)
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	t.Parallel()
	h := ready(t)
	var got []string
	h.callbacks.Observe = func(door suite.Door, outcome string) { got = append(got, string(door)+" "+outcome) }
	at := h.now()
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", at, "SuiteTicket", "x")))
	must(t, h.send(h.replica, suiteID, suite.CommandDoor, "", message("suite_ticket", at, "SuiteTicket", "x")))
	must(t, h.send(h.replica, suiteID, suite.DataDoor, acme, message("tomorrows_news", at)))
	_ = h.callbacks.Receive(t.Context(), suiteID, suite.CommandDoor, wecom.Query{}, nil)
	_ = h.callbacks.Receive(t.Context(), "wwnobody", suite.CommandDoor, wecom.Query{}, nil)
	body, v := h.sim.Seal(suiteID, wecomtest.Command, "", "x")
	q := queryOf(v)
	q.Nonce = "forged"
	_ = h.callbacks.Receive(t.Context(), suiteID, suite.CommandDoor, q, body)
	want := []string{"command stored", "command repeated", "data ignored", "command refused_xml", "command unknown_suite", "command refused_signature"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
}

// counter counts the round trips of a pool.
type counter struct{ n atomic.Int64 }

func (c *counter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.n.Add(1)
	return ctx
}
func (c *counter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
