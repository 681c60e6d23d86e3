package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"suitesign/wecom/wecomtest"
)

// What callbacks are held against.
const (
	callbackRate   = 500 // a second
	callbackTarget = 100 * time.Millisecond
	burstClients   = 64
)

// callbacks sends the service pushes, each another event: at a rate, then all at once.
func (h *house) callbacks(ctx context.Context, t *table) error {
	s := h.sized()
	pool, err := h.fresh(ctx, "callbacks")
	if err != nil {
		return err
	}
	defer pool.Close()
	service, err := h.serve(ctx, "SUITESIGN_LOG_LEVEL=warn")
	if err != nil {
		return err
	}
	defer service.stop()
	if err := h.addSuite(ctx); err != nil {
		return err
	}
	p := &pusher{h: h, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: burstClients}, Timeout: 10 * time.Second}}
	defer p.client.CloseIdleConnections()

	say("%d callbacks a second for %s", callbackRate, s.callbacksFor)
	n := int(s.callbacksFor.Seconds() * callbackRate)
	took, err := p.paced(ctx, n)
	if err != nil {
		return err
	}
	p99 := percentile(took, 99)
	t.judged(fmt.Sprintf("%d callbacks a second for %s, durable: p99 (median, the slowest)", callbackRate, s.callbacksFor),
		fmt.Sprintf("**%s** (%s, %s)", millis(p99.Seconds()), millis(percentile(took, 50).Seconds()), millis(slices.Max(took).Seconds())), "< 100 ms", p99 < callbackTarget)
	stored, err := counted(ctx, pool, `SELECT count(*) FROM callback_events WHERE info_type = 'change_contact'`)
	if err != nil {
		return err
	}
	t.judged("of them stored", fmt.Sprintf("%d of %d", stored, n), "all", int(stored) == n)
	return h.burst(ctx, t, service, p, s.burst)
}

// burst sends many at once, and a suite_ticket among them.
func (h *house) burst(ctx context.Context, t *table, service *process, p *pusher, n int) error {
	say("a burst of %d callbacks", n)
	rss, _, err := service.memory()
	if err != nil {
		return err
	}
	var sent atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, burstClients)
	began := time.Now()
	for range burstClients {
		group.Go(func() {
			for ctx.Err() == nil && sent.Add(1) <= int64(n) {
				if _, err := p.push(ctx); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	var slowest time.Duration
	for done := waited(&group); ; {
		at := time.Now()
		d, err := h.sim.PushSuiteTicket(ctx, suiteID)
		if err != nil || d.State != wecomtest.Delivered {
			return fmt.Errorf("the suite_ticket was not taken in the burst: %w: %+v", err, d)
		}
		slowest = max(slowest, time.Since(at))
		select {
		case <-done:
		case <-time.After(100 * time.Millisecond):
			continue
		}
		break
	}
	took := time.Since(began)
	close(failures)
	if err := errors.Join(ctx.Err(), <-failures); err != nil {
		return err
	}
	after, peak, err := service.memory()
	if err != nil {
		return err
	}
	t.judged(fmt.Sprintf("a suite_ticket in a burst of %d callbacks (%d at a time, %.0f a second), the slowest", n, burstClients, float64(n)/took.Seconds()),
		"**"+millis(slowest.Seconds())+"**", "< 1 s", slowest < time.Second)
	const grown = 32 << 20
	t.judged("memory (RSS) before the burst, after it, and the most it ever was", fmt.Sprintf("%d MiB, %d MiB, %d MiB", rss/mebibyte, after/mebibyte, peak/mebibyte),
		"+ 32 MiB at most", peak-rss <= grown)
	return nil
}

func waited(group *sync.WaitGroup) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	return done
}

// pusher makes events and sends them as the platform does.
type pusher struct {
	h      *house
	client *http.Client
	n      atomic.Int64
}

// push sends one event that was never sent before, and says how long the answer took.
func (p *pusher) push(ctx context.Context) (time.Duration, error) {
	stamp := fmt.Sprint(time.Now().Unix())
	message := fmt.Sprintf("<xml><SuiteId><![CDATA[%s]]></SuiteId><InfoType><![CDATA[change_contact]]></InfoType><TimeStamp>%s</TimeStamp>"+
		"<AuthCorpId><![CDATA[%s]]></AuthCorpId><ChangeType><![CDATA[update_user]]></ChangeType><UserID><![CDATA[user%08d]]></UserID></xml>",
		suiteID, stamp, corpOf(0), p.n.Add(1))
	body, q, err := p.h.callbackKey.Seal([]byte(message), string(suiteID), stamp, "bench")
	if err != nil {
		return 0, err
	}
	target := fmt.Sprintf("%s/callback/%s/command?%s", local(p.h.public), suiteID,
		url.Values{"msg_signature": {q.Signature}, "timestamp": {q.Timestamp}, "nonce": {q.Nonce}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	began := time.Now()
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK || string(answer) != "success" {
		return 0, fmt.Errorf("a callback was answered %s: %s", resp.Status, answer)
	}
	return time.Since(began), nil
}

// paced sends n events at the rate, whether or not the ones before are answered: who
// has to wait for its turn has waited.
func (p *pusher) paced(ctx context.Context, n int) ([]time.Duration, error) {
	took, errs := make([]time.Duration, n), make([]error, n)
	var group sync.WaitGroup
	began := time.Now()
	for i := range n {
		at := began.Add(time.Duration(i) * time.Second / callbackRate)
		if wait := time.Until(at); wait > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
		}
		group.Go(func() {
			_, errs[i] = p.push(ctx)
			took[i] = time.Since(at)
		})
	}
	group.Wait()
	return took, errors.Join(errs...)
}

func percentile(of []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)-1)*p/100]
}
