package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/goccy/go-yaml"

	"suitesign/secret"
)

// version is set by the build (-X main.version=…).
var version = "dev"

type versionCmd struct{}

// Run prints the version, the commit where the build knows it, and the toolchain.
func (versionCmd) Run() error {
	commit, goVersion := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = " " + s.Value
			}
		}
	}
	fmt.Printf("suitesign %s%s %s\n", version, commit, goVersion)
	return nil
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say every fault of the configuration; ends 0 or 1."`
	Print configPrintCmd `cmd:"" help:"Print the configuration in force, secrets left out."`
}

type configCheckCmd struct{}

// Run says every fault at once and ends 0 only where there is none.
func (configCheckCmd) Run(c *cli) error {
	config, err := loadConfig(c.Config, os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return errTold
	}
	for _, warning := range warnings(config, os.Environ()) {
		fmt.Fprintln(os.Stderr, "warning:", warning)
	}
	fmt.Println("The configuration is good.")
	return nil
}

type configPrintCmd struct{}

// Run prints the configuration as YAML. Faults are told beside it: a faulty
// configuration is when one wants to see it.
func (configPrintCmd) Run(c *cli) error {
	config, faulty := loadConfig(c.Config, os.Environ())
	out, err := yaml.MarshalWithOptions(config, yaml.CustomMarshaler(func(v secret.String) ([]byte, error) {
		if v.IsZero() {
			return []byte(`""`), nil // not set, which is worth knowing
		}
		return yaml.Marshal(v.String())
	}))
	if err != nil {
		return fmt.Errorf("printing the configuration: %w", err)
	}
	if _, err := os.Stdout.Write(out); err != nil {
		return err
	}
	if faulty != nil {
		fmt.Fprintln(os.Stderr, faulty)
		return errTold
	}
	return nil
}

type healthcheckCmd struct {
	URL     string        `help:"What to ask; /readyz of the admin listener of this configuration when left out."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Run asks /readyz. It needs only the admin address of the configuration, so that
// it works in a container that holds no secrets.
func (h healthcheckCmd) Run(ctx context.Context, c *cli) error {
	if h.URL == "" {
		config, _ := loadConfig(c.Config, os.Environ())
		host, port, err := net.SplitHostPort(config.AdminAddr)
		if err != nil {
			return fmt.Errorf("SUITESIGN_ADMIN_ADDR is %q: use host:port", config.AdminAddr)
		}
		if host == "" || net.ParseIP(host).IsUnspecified() {
			host = "127.0.0.1"
		}
		h.URL = "http://" + net.JoinHostPort(host, port) + "/readyz"
	}
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return fmt.Errorf("%q is not a URL", h.URL)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", h.URL, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	fmt.Printf("%s\n", body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %d", h.URL, resp.StatusCode)
	}
	return nil
}
