package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// options are what the command line can change: for a quick look, mostly.
type options struct {
	rounds   int           // of the lines with a target; others have less
	duration time.Duration // of one run of wrk
	pin      bool          // the server on CPU 0, wrk on CPU 1
	full     bool          // the sizes of the targets; without it small ones
	tenants  int           // instead of the sizes of lines with many tenants
	lasts    time.Duration // instead of the length of the steady state, and of the callbacks
	parts    []string      // which parts; none: all
	write    string        // the document whose measured part is replaced
	profile  string        // where a CPU profile of the loaded service goes
}

// A part measures some lines of the table. It can be measured alone: ./run.sh NAME.
type part struct {
	name    string
	what    string
	measure func(*house, context.Context, *table) error
}

// parts are all of them, in the order of the table.
var parts = []part{
	{"signing", "a signature in process, beside a bare signer and other libraries", (*house).signing},
	{"serving", "signatures over HTTP, beside a bare server", (*house).serving},
	{"stored", "ready and flat with many tenants stored", (*house).stored},
	{"counts", "what tests of the product count: calls, queries, who goes first", (*house).counts},
	{"drain", "many tenants due at once", (*house).drain},
	{"cold", "very many tenants due at once, within WeCom's limits", (*house).cold},
	{"idle", "the first signature of an idle tenant", (*house).idle},
	{"steady", "many tenants kept fresh at real lifetimes", (*house).steady},
	{"callbacks", "callbacks at a rate, and a burst of them", (*house).callbacks},
	{"admin", "lists of many tenants, and an import", (*house).administering},
	{"scale", "the schedule and the budgets of millions, in virtual time", (*house).scale},
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of the lines that have a target")
	flag.DurationVar(&o.duration, "d", 5*time.Second, "length of one run of wrk")
	flag.BoolVar(&o.pin, "pin", false, "pin the server to CPU 0 and wrk to CPU 1, with taskset")
	flag.BoolVar(&o.full, "full", false, "the large lines in the size of their targets: an hour")
	flag.IntVar(&o.tenants, "tenants", 0, "the large lines with so many tenants")
	flag.DurationVar(&o.lasts, "for", 0, "the steady state, and the callbacks, for so long")
	flag.StringVar(&o.write, "write", "", "also replace the measured part of this document")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile to this file: of the service under load, and nothing else; with drain, of one replica")
	flag.Usage = usage
	flag.Parse()
	o.parts = flag.Args()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprintln(out, "run.sh [flags] [part …]\n\nParts; without one all of them:")
	for _, p := range parts {
		fmt.Fprintf(out, "  %-10s %s\n", p.name, p.what)
	}
	fmt.Fprintln(out, "\nFlags:")
	flag.PrintDefaults()
}

// chosen are the parts that the command line names.
func (o options) chosen() ([]part, error) {
	if len(o.parts) == 0 {
		return parts, nil
	}
	var out []part
	for _, name := range o.parts {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no part %q; -h lists them", name)
		}
		out = append(out, parts[i])
	}
	return out, nil
}

func run(ctx context.Context, o options) error {
	if runtime.GOOS != "linux" {
		return errors.New("needs Linux: CPU time and memory are read from /proc")
	}
	if err := need("wrk", "wrk", "the HTTP lines are measured with it"); err != nil {
		return err
	}
	if o.pin {
		if err := need("taskset", "util-linux", "-pin uses it"); err != nil {
			return err
		}
	}
	if o.rounds < 1 || o.duration < time.Second || o.duration%time.Second != 0 {
		return errors.New("-rounds is at least 1, -d whole seconds")
	}
	if o.tenants < 0 || o.lasts < 0 || o.lasts%time.Second != 0 {
		return errors.New("-tenants is not below 0, -for whole seconds")
	}
	chosen, err := o.chosen()
	if err != nil {
		return err
	}
	began := time.Now()
	h, err := newHouse(ctx, o)
	if err != nil {
		return err
	}
	defer h.close(ctx)
	if o.profile != "" && len(o.parts) == 0 {
		return h.profileLoad(ctx, o.profile)
	}
	var t table
	for _, p := range chosen {
		if err := p.measure(h, ctx, &t); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	text := machine(ctx, h) + "\n" + t.markdown()
	fmt.Printf("\n%s\nTook %s.\n", text, time.Since(began).Round(time.Second))
	if o.write != "" {
		return replace(o.write, text)
	}
	return nil
}

// need says how to get a program that is missing.
func need(program, debian, why string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed; %s. Debian, Ubuntu: sudo apt-get install %s", program, why, debian)
	}
	return nil
}

// say tells on stderr what is going on; stdout is for the table.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
