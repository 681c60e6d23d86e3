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
	"syscall"
	"time"
)

// options are what the command line can change: for a quick look, mostly.
type options struct {
	rounds   int           // of the lines with a target; others have less
	duration time.Duration // of one run of wrk
	pin      bool          // the server on CPU 0, wrk on CPU 1
	only     string        // one of the two parts
	write    string        // the document whose measured part is replaced
	profile  string        // where a CPU profile of the loaded service goes
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of the lines that have a target")
	flag.DurationVar(&o.duration, "d", 5*time.Second, "length of one run of wrk")
	flag.BoolVar(&o.pin, "pin", false, "pin the server to CPU 0 and wrk to CPU 1, with taskset")
	flag.StringVar(&o.only, "only", "", "measure only signing, or only serving")
	flag.StringVar(&o.write, "write", "", "also replace the measured part of this document")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the service under load to this file, and nothing else")
	flag.Parse()

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
	began := time.Now()
	h, err := newHouse(ctx, o)
	if err != nil {
		return err
	}
	defer h.close(ctx)
	if o.profile != "" {
		return h.profileLoad(ctx, o.profile)
	}
	var t table
	for _, part := range []struct {
		name    string
		measure func(context.Context, *table) error
	}{{"signing", h.signing}, {"serving", h.serving}} {
		if o.only != "" && o.only != part.name {
			continue
		}
		if err := part.measure(ctx, &t); err != nil {
			return err
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
