package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"suitesign/audit"
)

// cli is the command line. Every command reads the same configuration, because
// every one of them works on the same deployment.
type cli struct {
	Config string `help:"YAML file with the configuration; environment variables SUITESIGN_… come before it." env:"SUITESIGN_CONFIG" type:"path" placeholder:"FILE"`

	Serve       serveCmd       `cmd:"" help:"Run the service: the HTTP listeners and the worker."`
	Demo        demoCmd        `cmd:"" help:"Run everything on this machine: PostgreSQL, the simulator, the service, a demo corp."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the database schema up, down, or tell where it is."`
	Keys        keysCmd        `cmd:"" help:"The keyring that seals secrets at rest."`
	Restored    restoredCmd    `cmd:"" help:"Tell that the database was restored from an older backup: nothing that it holds is signed with before WeCom has been asked again."`
	Apikey      apikeyCmd      `cmd:"" name:"apikey" help:"Keys of the admin API."`
	Import      importCmd      `cmd:"" help:"Tenants that move in from another system."`
	Sign        signCmd        `cmd:"" help:"Signatures: why a page cannot register."`
	ConfigCmd   configCmd      `cmd:"" name:"config" help:"Check or print the configuration."`
	Healthcheck healthcheckCmd `cmd:"" help:"Ask a running service whether it is ready; ends 0 or 1."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(os.Args[1:]))
}

// run is main with an exit code: 0 done, 1 failed, 2 called wrongly.
func run(args []string) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("suitesign"),
		kong.Description("Signs the JS-SDK pages of WeCom (企业微信) third-party apps, for many corps."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		fmt.Fprintln(os.Stderr, "suitesign:", err)
		return 2
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "suitesign: %s\nTry: suitesign --help\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the first signal asks for an ordered stop, the second one ends the process
	ctx = audit.With(ctx, operator())
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(&c); err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintln(os.Stderr, "suitesign:", err)
		}
		return 1
	}
	return 0
}

// operator is who the audit log says it was: whoever is logged in. What the
// service does, once it runs, it does by itself.
func operator() audit.Actor {
	name := "uid " + strconv.Itoa(os.Getuid()) // in a container nobody may have a name
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return audit.Actor{Kind: audit.CLI, Name: name}
}

// errTold ends a command that has already told its failure.
var errTold = errors.New("failed")

// load reads the configuration and starts the log.
func (c *cli) load() (Config, *slog.Logger, error) {
	config, err := loadConfig(c.Config, os.Environ())
	if err != nil {
		return config, nil, err
	}
	log := newLogger(config, os.Stderr)
	for _, warning := range warnings(config, os.Environ()) {
		log.Warn(warning)
	}
	return config, log, nil
}
