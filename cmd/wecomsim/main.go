package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

type cli struct {
	Serve       serveCmd       `cmd:"" help:"Serve the simulated platform."`
	Healthcheck healthcheckCmd `cmd:"" help:"End with 0 if a simulator answers, with 1 if not."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main with an exit code: 0 done, 1 failed, 2 called wrongly.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	var c cli
	parser, err := kong.New(&c,
		kong.Name("wecomsim"),
		kong.Description("WeCom in a box: a simulator of the platform for service providers' software."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		fmt.Fprintln(os.Stderr, "wecomsim:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "wecomsim: %s\nTry: wecomsim --help\n", err)
		return 2
	}
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "wecomsim:", err)
		return 1
	}
	return 0
}

// version is set by the linker in a release.
var version = ""

type versionCmd struct{}

// Run prints the version that was linked in, or the module's.
func (versionCmd) Run(k *kong.Kong) error {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	_, err := fmt.Fprintln(k.Stdout, "wecomsim "+v)
	return err
}
