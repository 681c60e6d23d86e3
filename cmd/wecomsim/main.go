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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	k := kong.Parse(&c,
		kong.Name("wecomsim"),
		kong.Description("WeCom in a box: a simulator of the platform for service providers' software."),
		kong.UsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "wecomsim: "+err.Error())
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
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
