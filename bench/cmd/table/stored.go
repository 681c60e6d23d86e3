package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"suitesign/secret"
	"suitesign/signing"
)

// What many tenants are held against.
const (
	readyTarget = time.Second
	flatTarget  = 0.90
	heapTarget  = 1.5 * 1024 // bytes a hot tenant
)

// The service with many tenants stored: pages of few of them, and of many.
const (
	fewScript  = "few.lua"
	manyScript = "many.lua"
	few        = 10
)

// stored measures how soon the service is ready with many tenants in its database,
// and whether it signs for many as fast as for few.
func (h *house) stored(ctx context.Context, t *table) error {
	s := h.sized()
	pool, err := h.fresh(ctx, "stored")
	if err != nil {
		return err
	}
	defer pool.Close()
	err = h.fill(ctx, pool, stock{
		tenants: s.stored,
		left:    func(int) (time.Duration, bool) { return 24 * time.Hour, true },
		due:     func(int) (time.Duration, bool) { return 12 * time.Hour, true },
	})
	if err != nil {
		return err
	}
	if err := h.ready(ctx, t, s); err != nil {
		return err
	}
	if err := h.flat(ctx, t, s); err != nil {
		return err
	}
	return h.inMemory(ctx, t, pool, s.hot)
}

// ready starts the service over and over, until it says so.
func (h *house) ready(ctx context.Context, t *table, s sizes) error {
	var took []float64
	for range h.rounds {
		began := time.Now()
		p, err := h.serve(ctx)
		if err != nil {
			return err
		}
		took = append(took, time.Since(began).Seconds())
		p.stop()
	}
	m := median(took)
	t.judged(fmt.Sprintf("ready after the start, with %d tenants stored", s.stored), fmt.Sprintf("**%.2f s**", m), "≤ 1 s", m <= readyTarget.Seconds())
	return nil
}

// flat loads the service with pages of few tenants and of many in turn.
func (h *house) flat(ctx context.Context, t *table, s sizes) error {
	if err := errors.Join(h.writeStock(fewScript, few), h.writeStock(manyScript, s.hot)); err != nil {
		return err
	}
	environ := append([]string{"SUITESIGN_PPROF=true", "SUITESIGN_WORKER=false"}, plain.environ...)
	service, err := h.serve(ctx, environ...)
	if err != nil {
		return err
	}
	defer service.stop()
	before, err := h.heap(ctx)
	if err != nil {
		return err
	}
	say("warming %d tenants", s.hot)
	if err := h.warm(ctx, service, s.hot); err != nil {
		return err
	}
	after, err := h.heap(ctx)
	if err != nil {
		return err
	}
	var body string
	if err := h.call(ctx, http.MethodGet, service.origin+stockPath(0), nil, &body); err != nil {
		return err
	}
	perTenant := (after - before) / float64(s.hot)
	t.judged(fmt.Sprintf("heap of a hot tenant (%d of them)", s.hot), fmt.Sprintf("**%.2f KiB**", perTenant/1024), "≤ 1.5 KiB", perTenant <= heapTarget)
	of, err := h.fewAndMany(ctx, service, h.rounds)
	if err != nil {
		return err
	}
	r := compare(of[1].all(rate), of[0].all(rate))
	t.judged(fmt.Sprintf("over HTTP with %d tenants stored and %d hot, beside ten", s.stored, s.hot),
		fmt.Sprintf("%.0f : %.0f = %s", of[1].median(rate), of[0].median(rate), r), fmt.Sprintf("≥ %.2f", flatTarget), r.of >= flatTarget)
	t.told("its CPU for an answer", fmt.Sprintf("%s : %s", micros(of[1].median(cpu)), micros(of[0].median(cpu))))
	service.stop()
	bare, err := h.bare(ctx, body)
	if err != nil {
		return err
	}
	defer bare.stop()
	if of, err = h.fewAndMany(ctx, bare, (h.rounds+1)/2); err != nil {
		return err
	}
	t.told("the same pages asked of bare net/http: what the generator's own memory costs", compare(of[1].all(rate), of[0].all(rate)).String())
	return nil
}

// fewAndMany asks for pages of few tenants and of many in turn.
func (h *house) fewAndMany(ctx context.Context, p *process, rounds int) (of [2]series, err error) {
	for round := range rounds + 1 {
		for i, script := range []string{fewScript, manyScript} {
			d := h.duration
			if round == 0 {
				d = warmFor
			}
			saw, err := h.load(ctx, p, script, d)
			if err != nil {
				return of, err
			}
			if round > 0 {
				of[i] = append(of[i], saw)
			}
		}
	}
	return of, nil
}

// signRuns are the rounds of inMemory, each of so many signatures.
const (
	signRuns  = 5
	signCount = 500_000
)

// inMemory times Sign itself in this process, for few hot tenants and for many: what
// the processor's caches do not hold is in it.
func (h *house) inMemory(ctx context.Context, t *table, pool *pgxpool.Pool, hot int) error {
	say("signing for %d tenants in process", hot)
	master, err := secret.ParseMasterKey(secret.New(h.masterKey))
	if err != nil {
		return err
	}
	ring, err := secret.Load(ctx, pool, master)
	if err != nil {
		return err
	}
	signer := &signing.Signer{Directory: &signing.Directory{Pool: pool, Sealer: ring, MaxTenants: 2 * hot}}
	asks := make([]signing.Request, hot)
	group, warming := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range asks {
		asks[i] = signing.Request{URL: stockPage(stockHost(i)), SuiteID: stockSuite, CorpID: string(stockCorp(i))}
		group.Go(func() error {
			_, err := signer.Sign(warming, asks[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	var nanos [2][]float64
	for range signRuns {
		for i, n := range []int{few, hot} {
			began := time.Now()
			for j := range signCount {
				if _, err := signer.Sign(ctx, asks[j*strideOf%n]); err != nil {
					return err
				}
			}
			nanos[i] = append(nanos[i], float64(time.Since(began))/signCount)
		}
	}
	t.told("in process, `Signer.Sign` for so many in turn, beside ten", fmt.Sprintf("%.0f ns : %.0f ns = %s; the page that asks is as cold as the tenant",
		median(nanos[1]), median(nanos[0]), compare(nanos[1], nanos[0])))
	return nil
}

func stockPath(i int) string { return pathTo(stockHost(i), string(stockCorp(i))) }

func pathTo(host, corp string) string {
	return "/api/jssdk/config-signature?" + url.Values{"url": {stockPage(host)}, "suite_id": {stockSuite}, "corp_id": {corp}}.Encode()
}

func stockPage(host string) string {
	return "https://" + host + "/orders/list?id=20260301-0007&from=menu"
}

// strideOf is prime to every count here: neighbours in memory are not asked one after the other.
const strideOf = 7919

// writeStock writes a script that asks for the pages of so many tenants in turn. The
// script makes the paths itself: a hundred thousand of them are too many for a list.
func (h *house) writeStock(name string, n int) error {
	pattern := strings.ReplaceAll(pathTo("HOST", "wwstockCORP"), "%", "%%")
	pattern = strings.NewReplacer("HOST", "corp%d.example.com", "CORP", "%08d").Replace(pattern)
	fill := fmt.Sprintf(`for n = 0, %[1]d - 1 do
    local i = n * %[3]d %% %[1]d
    requests[n + 1] = wrk.format("GET", string.format(%[2]q, i, i), {Host="127.0.0.1"})
  end`, n, pattern, strideOf)
	text := fmt.Sprintf(script, "")
	before, rest, ok := strings.Cut(text, "for n, ask in")
	_, after, ends := strings.Cut(rest, " end\n")
	if !ok || !ends {
		return errors.New("the script has another shape")
	}
	return os.WriteFile(h.file(name), []byte(before+fill+"\n"+after), 0o600)
}

// warm asks for a page of each tenant once.
func (h *house) warm(ctx context.Context, p *process, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	const clients = 8
	for c := range clients {
		group.Go(func() error {
			for i := c; i < n; i += clients {
				if err := h.call(ctx, http.MethodGet, p.origin+stockPath(i), nil, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// heap is what the service's heap holds after a collection.
func (h *house) heap(ctx context.Context) (float64, error) {
	var text string
	for range 2 { // what the first one only finalizes the second one frees
		if err := h.call(ctx, http.MethodGet, local(h.admin)+"/debug/pprof/heap?gc=1&debug=1", nil, &text); err != nil {
			return 0, err
		}
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "# HeapAlloc = "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, errors.New("the profile tells no HeapAlloc")
}
