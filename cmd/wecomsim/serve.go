package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"suitesign/wecom/wecomtest"
)

type serveCmd struct {
	Listen string `help:"Address to listen on." default:"127.0.0.1:8090" env:"WECOMSIM_LISTEN" placeholder:"ADDR"`
	State  string `help:"File that keeps the state over restarts. Without it the state ends with the process." env:"WECOMSIM_STATE" type:"path" placeholder:"FILE"`

	Domain []string `help:"Domain whose pages may register, without a port; may be given several times. Any of these four makes an app at the start." placeholder:"HOST"`
	Suite  string   `help:"Its suite (default ww5ui7e51gndem0000)." placeholder:"ID"`
	Corp   string   `help:"The corp that has it (default ww1demo0corp000000)." placeholder:"ID"`
	Agent  int64    `help:"Its agentId in that corp (default 1000002)." placeholder:"N"`
	Setup  string   `help:"YAML or JSON file with suites, corps and apps to start with." env:"WECOMSIM_SETUP" type:"path" placeholder:"FILE"`

	AccessTokenLifetime         time.Duration `help:"Lifetime of corp access_tokens." default:"2h"`
	SuiteAccessTokenLifetime    time.Duration `help:"Lifetime of suite_access_tokens." default:"2h"`
	ProviderAccessTokenLifetime time.Duration `help:"Lifetime of provider_access_tokens." default:"2h"`
	TicketLifetime              time.Duration `help:"Lifetime of both kinds of JS ticket." default:"2h"`
	JSAPITicketLifetime         time.Duration `name:"jsapi-ticket-lifetime" help:"Lifetime of jsapi_tickets, if another."`
	AgentTicketLifetime         time.Duration `help:"Lifetime of agent_config tickets, if another."`
	SuiteTicketLifetime         time.Duration `help:"Lifetime of suite_tickets." default:"30m"`
	AuthCodeLifetime            time.Duration `help:"Lifetime of auth_codes." default:"10m"`
	PreAuthCodeLifetime         time.Duration `help:"Lifetime of pre_auth_codes." default:"20m"`

	Rotation     string        `help:"What a repeated fetch answers with while the old value lives: the same (sticky), the same with the full lifetime printed again (sticky_constant), or a new one (rotating)." enum:"sticky,sticky_constant,rotating" default:"sticky"`
	Grace        time.Duration `help:"rotating: how long a replaced value still works." default:"5m"`
	Limits       string        `help:"Keep the platform's published rate limits." enum:"on,off" default:"on"`
	PushInterval time.Duration `help:"Time between two suite_ticket pushes." default:"10m"`
	LogLevel     string        `help:"What to log on stderr." enum:"debug,info,warn,error" default:"info" env:"WECOMSIM_LOG_LEVEL"`
}

func (c *serveCmd) config(log *slog.Logger) wecomtest.Config {
	jsapi, agent := c.JSAPITicketLifetime, c.AgentTicketLifetime
	if jsapi == 0 {
		jsapi = c.TicketLifetime
	}
	if agent == 0 {
		agent = c.TicketLifetime
	}
	return wecomtest.Config{
		Lifetimes: wecomtest.Lifetimes{
			AccessToken: c.AccessTokenLifetime, SuiteAccessToken: c.SuiteAccessTokenLifetime, ProviderAccessToken: c.ProviderAccessTokenLifetime,
			JSAPITicket: jsapi, AgentTicket: agent, SuiteTicket: c.SuiteTicketLifetime, AuthCode: c.AuthCodeLifetime, PreAuthCode: c.PreAuthCodeLifetime,
		},
		Rotation:     wecomtest.Rotation(c.Rotation),
		Grace:        c.Grace,
		Limits:       wecomtest.Limits{Off: c.Limits == "off"},
		PushInterval: c.PushInterval,
		StateFile:    c.State,
		Log:          log,
	}
}

// Run serves until the context ends, and then lets what is under way come to its end.
func (c *serveCmd) Run(ctx context.Context) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	world, err := c.wanted()
	if err != nil {
		return err
	}
	sim, err := wecomtest.NewServer(c.config(log))
	if err != nil {
		return err
	}
	handler, err := world.withPages(sim)
	if err == nil && world != nil {
		err = world.apply(ctx, sim)
	}
	if err != nil {
		return errors.Join(err, sim.Close())
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		_ = sim.Close() // nothing has changed yet
		return fmt.Errorf("listen: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		log.Warn("the simulator can be reached from other machines, and everybody there may use all of it", "addr", a.String())
	}
	log.Info("serving", "url", "http://"+l.Addr().String())
	if world != nil {
		world.tell(os.Stdout, l.Addr())
	}
	return serve(ctx, l, sim, handler, log)
}

const drainFor = 5 * time.Second

func serve(ctx context.Context, l net.Listener, sim *wecomtest.Server, handler http.Handler, log *slog.Logger) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		log.Info("stopping")
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
		defer cancel()
		if server.Shutdown(drain) != nil {
			_ = server.Close() // whoever is still there was made to wait on purpose
		}
		err = <-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, sim.Close())
}
