package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// The two scripts ask for the same pages; one as pages of other origins do.
const (
	plainScript  = "plain.lua"
	originScript = "origin.lua"
)

// script makes wrk ask for the tenants' pages in turn, and tell what it saw in a
// line of JSON. Both servers get the same requests.
const script = `local asks, i = {%s}, 0
local requests = {}
init = function()
  for n, ask in ipairs(asks) do requests[n] = wrk.format("GET", ask.path, ask.headers) end
end
request = function()
  i = i %% #requests + 1
  return requests[i]
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%%d,"micros":%%d,"p99":%%d,"refused":%%d,"broken":%%d}\n',
    summary.requests, summary.duration, latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
`

// seen is what one run of wrk saw of one server.
type seen struct {
	rate     float64       // answers a second
	p99      time.Duration // of an answer
	cpu      time.Duration // the server's, for one answer
	wrkShare float64       // of one CPU, used by wrk
}

// load puts one server under load.
func (h *house) load(ctx context.Context, p *process, script string, d time.Duration) (seen, error) {
	args := []string{"-t1", "-c32", fmt.Sprintf("-d%ds", int(d.Seconds())), "--latency", "-s", h.file(script), p.origin}
	program := "wrk"
	if h.pin {
		program, args = "taskset", append([]string{"--cpu-list", wrkCPU, "wrk"}, args...)
	}
	if err := p.log.Truncate(0); err != nil { // a log of one run at a time: nothing that must go to the disk
		return seen{}, err
	}
	before, err := p.cpu()
	if err != nil {
		return seen{}, err
	}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // wrk
	began := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(began)
	if err != nil {
		return seen{}, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	after, err := p.cpu()
	if err != nil {
		return seen{}, err
	}
	var saw struct{ Requests, Micros, P99, Refused, Broken int64 }
	if i := strings.LastIndex(string(out), `{"requests"`); i < 0 {
		return seen{}, fmt.Errorf("wrk's script told nothing: %s", out)
	} else if err := json.Unmarshal(out[i:], &saw); err != nil {
		return seen{}, fmt.Errorf("what wrk's script told: %w: %s", err, out[i:])
	}
	if saw.Requests == 0 || saw.Refused > 0 || saw.Broken > 0 {
		return seen{}, fmt.Errorf("%s: of %d requests %d were refused and %d broken:\n%s", p.name, saw.Requests, saw.Refused, saw.Broken, p.said())
	}
	own := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return seen{
		rate:     float64(saw.Requests) / (time.Duration(saw.Micros) * time.Microsecond).Seconds(),
		p99:      time.Duration(saw.P99) * time.Microsecond,
		cpu:      (after - before) / time.Duration(saw.Requests),
		wrkShare: own.Seconds() / took.Seconds(),
	}, nil
}
