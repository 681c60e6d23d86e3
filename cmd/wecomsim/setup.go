package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/goccy/go-yaml"

	"suitesign/wecom"
	"suitesign/wecom/wecomtest"
)

// Who is there unless a flag or file names others: those of the guides.
const (
	defaultSuite = "ww5ui7e51gndem0000"
	defaultCorp  = "ww1demo0corp000000"
	defaultAgent = 1000002
)

// setup is the world that a simulator starts with, as a file tells it.
type setup struct {
	Suites []setupSuite `yaml:"suites"`
	Corps  []setupCorp  `yaml:"corps"`
}

// setupSuite is a suite and the corps that have installed it.
type setupSuite struct {
	SuiteID        string   `yaml:"suite_id"`
	Name           string   `yaml:"name"`
	TrustedDomains []string `yaml:"trusted_domains"`
	Corps          []struct {
		CorpID         string   `yaml:"corp_id"`
		AgentID        int64    `yaml:"agent_id"`
		TrustedDomains []string `yaml:"trusted_domains"`
	} `yaml:"corps"`
}

// setupCorp is a corp with internal apps of its own.
type setupCorp struct {
	CorpID string `yaml:"corp_id"`
	Name   string `yaml:"name"`
	Apps   []struct {
		AgentID        int64    `yaml:"agent_id"`
		Name           string   `yaml:"name"`
		TrustedDomains []string `yaml:"trusted_domains"`
	} `yaml:"apps"`
}

// wanted reads what the flags and the file ask for; nil if they ask for nothing.
func (c *serveCmd) wanted() (*setup, error) {
	var w *setup
	if c.Setup != "" {
		text, err := os.ReadFile(c.Setup)
		if err != nil {
			return nil, fmt.Errorf("--setup: %w", err)
		}
		w = &setup{}
		if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(w); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("--setup %s: %w", c.Setup, err)
		}
	}
	if len(c.Domain) == 0 && c.Suite == "" && c.Corp == "" && c.Agent == 0 {
		return w, nil
	}
	if w == nil {
		w = &setup{}
	}
	su := setupSuite{SuiteID: orElse(c.Suite, defaultSuite), TrustedDomains: c.Domain}
	if len(su.TrustedDomains) == 0 {
		su.TrustedDomains = []string{"localhost"}
	}
	su.Corps = append(su.Corps, struct {
		CorpID         string   `yaml:"corp_id"`
		AgentID        int64    `yaml:"agent_id"`
		TrustedDomains []string `yaml:"trusted_domains"`
	}{CorpID: orElse(c.Corp, defaultCorp), AgentID: orElse(c.Agent, defaultAgent)})
	w.Suites = append(w.Suites, su)
	return w, nil
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// apply makes the world. What a state file has already is changed, not made twice.
func (w *setup) apply(ctx context.Context, sim *wecomtest.Server) error {
	for _, su := range w.Suites {
		if su.SuiteID == "" {
			return errors.New("setup: a suite has no suite_id")
		}
		if _, err := sim.PutSuite(wecomtest.Suite{SuiteID: wecom.SuiteID(su.SuiteID), Name: su.Name, TrustedDomains: su.TrustedDomains}); err != nil {
			return fmt.Errorf("setup: suite %s: %w", su.SuiteID, err)
		}
		for _, co := range su.Corps {
			in := wecomtest.Install{SuiteID: wecom.SuiteID(su.SuiteID), CorpID: wecom.CorpID(co.CorpID), Door: wecomtest.Site, TrustedDomains: co.TrustedDomains,
				Agents: []wecomtest.Agent{{AgentID: wecom.AgentID(orElse(co.AgentID, defaultAgent))}}}
			if _, err := sim.Install(ctx, in); err != nil {
				return fmt.Errorf("setup: suite %s in corp %q: %w", su.SuiteID, co.CorpID, err)
			}
		}
	}
	for _, co := range w.Corps {
		if co.CorpID == "" {
			return errors.New("setup: a corp has no corp_id")
		}
		in := wecomtest.Corp{CorpID: wecom.CorpID(co.CorpID), Name: co.Name}
		for _, a := range co.Apps {
			in.Apps = append(in.Apps, wecomtest.App{AgentID: wecom.AgentID(a.AgentID), Name: a.Name, TrustedDomains: a.TrustedDomains})
		}
		if _, err := sim.PutCorp(in); err != nil {
			return fmt.Errorf("setup: corp %s: %w", co.CorpID, err)
		}
	}
	return nil
}

// first is the app that the demo page and the words at the start are about: the
// first suite's in its first corp, else the first internal one.
func (w *setup) first() (suiteID, corpID string, agentID int64, domain string) {
	for _, su := range w.Suites {
		for _, co := range su.Corps {
			domains := append(append([]string{}, co.TrustedDomains...), su.TrustedDomains...)
			return su.SuiteID, co.CorpID, orElse(co.AgentID, defaultAgent), firstOf(domains)
		}
	}
	for _, co := range w.Corps {
		for _, a := range co.Apps {
			return "", co.CorpID, a.AgentID, firstOf(a.TrustedDomains)
		}
	}
	return "", "", 0, ""
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return "localhost"
	}
	return list[0]
}

// tell says, on the screen, how a page begins.
func (w *setup) tell(out io.Writer, at net.Addr) {
	suiteID, corpID, agentID, domain := w.first()
	if corpID == "" {
		return
	}
	here := "http://" + at.String()
	_, port, _ := net.SplitHostPort(at.String())
	suite := ""
	if suiteID != "" {
		suite = "suiteId: '" + suiteID + "', "
	}
	demo := "  the demo page    " + here + "/sim/demo/\n"
	if domain, _, _ = strings.Cut(domain, ":"); domain == "localhost" || strings.HasSuffix(domain, ".localhost") {
		demo = "  the demo page    http://" + domain + ":" + port + "/sim/demo/\n"
	}
	_, _ = fmt.Fprintf(out, `wecomsim runs. Ctrl-C stops it.

%s  all controls     %s/sim/openapi.yaml

  A page of yours at %s, at any port, begins like this:

  <script src="%s/sim/sdk/suitesign.js" data-simulator="%s"></script>
  <script>
    suitesign.registerSuite({corpId: '%s', %sagentId: %d, jsApiList: ['scanQRCode']})
  </script>

`, demo, here, domain, here, here, corpID, suite, agentID) // nobody may be looking
}
