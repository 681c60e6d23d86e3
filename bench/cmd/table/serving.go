package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"
)

// What the lines are held against.
const (
	rateTarget = 0.75
	p99Target  = 1.25
	idleTarget = 60 << 20
)

const (
	mebibyte = 1 << 20
	idleFor  = 5 * time.Second // before the memory of the idle service is read
	warmFor  = time.Second
)

// variant is a way to configure the service, or to ask it, that is measured beside the bare server.
type variant struct {
	what    string
	environ []string
	script  string
}

// The limit per address is made for addresses of people. All load comes from one
// here, and each tenant has a tenth of it, so both limits must give way.
var (
	plain    = variant{"per IP off", []string{"SUITESIGN_LIMITS_PER_IP=0", "SUITESIGN_LIMITS_PER_TENANT=1000000"}, plainScript}
	variants = []variant{
		{"both limits on, and high", []string{"SUITESIGN_LIMITS_PER_IP=1000000", "SUITESIGN_LIMITS_PER_IP_BURST=1000000", "SUITESIGN_LIMITS_PER_TENANT=1000000"}, plainScript},
		{"asked with an Origin", plain.environ, originScript},
		{"without the access log", append([]string{"SUITESIGN_LOG_LEVEL=error"}, plain.environ...), plainScript},
	}
)

// serving measures the service over HTTP beside the bare server, and its memory.
func (h *house) serving(ctx context.Context, t *table) error {
	service, body, err := h.furnish(ctx, t)
	if err != nil {
		return err
	}
	defer func() { service.stop() }()
	bare, err := h.bare(ctx, body)
	if err != nil {
		return err
	}
	defer bare.stop()

	say("serving: %s", plain.what)
	main, err := h.measure(ctx, bare, service, plain.script, h.rounds)
	if err != nil {
		return err
	}
	main.tell(t)
	rss, peak, err := service.memory()
	if err != nil {
		return err
	}
	t.told("memory after that load, and the most it ever was", fmt.Sprintf("%d MiB, %d MiB", rss/mebibyte, peak/mebibyte))

	for _, v := range variants {
		say("serving: %s", v.what)
		service.stop()
		if service, err = h.serve(ctx, v.environ...); err != nil {
			return err
		}
		m, err := h.measure(ctx, bare, service, v.script, (h.rounds+1)/2)
		if err != nil {
			return err
		}
		t.told("over HTTP, "+v.what, fmt.Sprintf("%s of the rate, %s of CPU", m.rate(), micros(m.service.median(cpu))))
	}
	return nil
}

// furnish starts the service with one tenant, reads its memory, adds the others,
// and answers with a signature's body.
func (h *house) furnish(ctx context.Context, t *table) (service *process, body string, err error) {
	say("starting the service, installing %d corps", tenants)
	service, err = h.serve(ctx, plain.environ...)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			service.stop()
		}
	}()
	if err := errors.Join(h.writeScripts(), h.addSuite(ctx), h.addTenants(ctx, service, 0, 1)); err != nil {
		return nil, "", err
	}
	select { // it stays what it is after a start, but for what the first minute's GC gives back
	case <-ctx.Done():
		return nil, "", ctx.Err()
	case <-time.After(idleFor):
	}
	rss, _, err := service.memory()
	if err != nil {
		return nil, "", err
	}
	t.judged("memory (RSS) of the idle service with one tenant", fmt.Sprintf("**%d MiB**", rss/mebibyte), "< 60 MiB", rss < idleTarget)
	if err := h.addTenants(ctx, service, 1, tenants); err != nil {
		return nil, "", err
	}
	return service, body, h.call(ctx, http.MethodGet, service.origin+pathOf(0), nil, &body)
}

// measured is what was seen of the two servers, round by round.
type measured struct{ bare, service series }

// measure puts the two under load in turn.
func (h *house) measure(ctx context.Context, bare, service *process, script string, rounds int) (m measured, err error) {
	for round := range rounds + 1 {
		d := h.duration
		if round == 0 {
			d = warmFor
		}
		b, err := h.load(ctx, bare, script, d)
		if err != nil {
			return m, err
		}
		s, err := h.load(ctx, service, script, d)
		if err != nil {
			return m, err
		}
		if round > 0 {
			m.bare, m.service = append(m.bare, b), append(m.service, s)
		}
	}
	return m, nil
}

func (m measured) rate() ratio { return compare(m.service.all(rate), m.bare.all(rate)) }

func (m measured) tell(t *table) {
	const beside = "%s : %s = %s"
	r := m.rate()
	t.judged("`GET /api/jssdk/config-signature`, answers a second, beside bare net/http",
		fmt.Sprintf("%.0f : %.0f = %s", m.service.median(rate), m.bare.median(rate), r), fmt.Sprintf("≥ %.2f", rateTarget), r.of >= rateTarget)
	late := compare(m.service.all(p99), m.bare.all(p99))
	t.judged("its p99", fmt.Sprintf(beside, millis(m.service.median(p99)), millis(m.bare.median(p99)), late), fmt.Sprintf("≤ %.2f", p99Target), late.of <= p99Target)
	t.told("the server's CPU for an answer", fmt.Sprintf(beside, micros(m.service.median(cpu)), micros(m.bare.median(cpu)), compare(m.service.all(cpu), m.bare.all(cpu))))
	t.told("wrk's share of a CPU meanwhile", fmt.Sprintf("%.0f %% : %.0f %%", 100*m.service.median(share), 100*m.bare.median(share)))
}

// series is what was seen of one server.
type series []seen

func (s series) all(of func(seen) float64) []float64 {
	out := make([]float64, len(s))
	for i := range s {
		out[i] = of(s[i])
	}
	return out
}

func (s series) median(of func(seen) float64) float64 { return median(s.all(of)) }

func rate(s seen) float64  { return s.rate }
func p99(s seen) float64   { return s.p99.Seconds() }
func cpu(s seen) float64   { return s.cpu.Seconds() }
func share(s seen) float64 { return s.wrkShare }

func millis(seconds float64) string { return fmt.Sprintf("%.2f ms", 1e3*seconds) }
func micros(seconds float64) string { return fmt.Sprintf("%.1f µs", 1e6*seconds) }

// profileLoad writes a CPU profile of the service under load.
func (h *house) profileLoad(ctx context.Context, path string) error {
	plain.environ = append(plain.environ, "SUITESIGN_PPROF=true")
	service, _, err := h.furnish(ctx, &table{})
	if err != nil {
		return err
	}
	defer service.stop()
	loaded := make(chan error, 1)
	go func() {
		_, err := h.load(ctx, service, plain.script, h.duration)
		loaded <- err
	}()
	return errors.Join(h.profileTo(ctx, path, max(time.Second, h.duration-time.Second)), <-loaded)
}

// profileTo writes a CPU profile of the service on the house's own ports.
func (h *house) profileTo(ctx context.Context, path string, d time.Duration) error {
	var profile string
	if err := h.call(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", local(h.admin), int(d.Seconds())), nil, &profile); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(profile), 0o600)
}
