package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"suitesign/signing"
	"suitesign/signing/explain"
	"suitesign/signing/explain/known"
	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/ticket"
)

type signCmd struct {
	Explain signExplainCmd `cmd:"" help:"Say why a page cannot register with WeCom; ends 1 where a cause was found, 0 where nothing is wrong."`
}

type signExplainCmd struct {
	URL string `arg:"" help:"The page's URL, best its location.href."`

	Kind      string `enum:"config,agent," default:"" help:"Which registration it was: config (getConfigSignature) or agent (getAgentConfigSignature)."`
	Timestamp string `help:"The timestamp that the page registered with."`
	NonceStr  string `help:"The nonceStr that it registered with."`
	Signature string `help:"The signature that it registered with."`

	SuiteID string `help:"The suite_id that the page used."`
	CorpID  string `help:"The corpId that it used."`
	AgentID string `help:"The agentId that it used."`

	Error     string   `help:"What the page saw."`
	Errcode   int      `help:"The errcode that it saw."`
	UserAgent string   `help:"Its navigator.userAgent."`
	EntryURL  string   `name:"entry-url" help:"The URL with which the page was opened, where its router has changed it since."`
	API       string   `name:"api" help:"The JS API that it called."`
	JSAPIList []string `name:"js-api-list" help:"The jsApiList that it registered with." placeholder:"API,…"`
	Entry     string   `help:"What getContext answered as entry."`

	JSON bool   `name:"json" help:"Write what POST /v1/explain answers."`
	Lang string `enum:"en,zh" default:"en" help:"The language of the words: en or zh."`
}

// Run reads what the database knows and says what is wrong.
func (s signExplainCmd) Run(ctx context.Context, c *cli) error {
	pool, ring, err := c.openRing(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	tenants := &tenant.Store{Pool: pool}
	reader := &known.Reader{
		Suites: &suite.Store{Pool: pool, Ring: ring, Tenants: tenants}, Tenants: tenants,
		Tickets: &ticket.Source{Pool: pool, Ring: ring}, Directory: &signing.Directory{Pool: pool, Sealer: ring},
	}
	report, err := reader.Explain(ctx, s.question())
	if err != nil {
		return err
	}
	if s.JSON {
		err = writeReportJSON(os.Stdout, report)
	} else {
		err = writeReport(os.Stdout, report, s.Lang)
	}
	if err == nil && !report.OK {
		return errTold
	}
	return err
}

func (s signExplainCmd) question() explain.Question {
	return explain.Question{
		URL: s.URL, EntryURL: s.EntryURL, Kind: explain.Kind(s.Kind), Timestamp: s.Timestamp, NonceStr: s.NonceStr, Signature: s.Signature,
		SuiteID: s.SuiteID, CorpID: s.CorpID, AgentID: s.AgentID, Error: s.Error, Errcode: s.Errcode, UserAgent: s.UserAgent,
		API: s.API, JSAPIList: s.JSAPIList, Entry: s.Entry,
	}
}

func writeReportJSON(w io.Writer, r explain.Report) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// writeReport writes a report for people: what happened, why, what to do, and
// where two texts differ a mark under the first character that does.
func writeReport(w io.Writer, r explain.Report, lang string) error {
	for _, f := range r.Findings {
		words := f.En
		if lang == "zh" {
			words = f.Zh
		}
		fmt.Fprintf(w, "%s: %s\n  %s\n  %s\n  → %s\n", f.Severity, f.Code, words.What, words.Why, words.Do)
		for _, e := range f.Evidence {
			if err := writeEvidence(w, e); err != nil {
				return err
			}
		}
		fmt.Fprintln(w)
	}
	if r.Canonical != "" {
		fmt.Fprintf(w, "%s\n", r.Canonical)
	}
	return nil
}

func writeEvidence(w io.Writer, e explain.Evidence) error {
	t := tabwriter.NewWriter(w, 0, 4, 1, ' ', 0)
	if e.Expected != "" {
		fmt.Fprintf(t, "    %s\texpected\t%s\n", e.Field, printable(e.Expected))
	}
	if e.Found != "" {
		fmt.Fprintf(t, "    %s\tfound\t%s\n", e.Field, printable(e.Found))
	}
	if e.Position >= 0 {
		fmt.Fprintf(t, "    \t\t%s^ character %d\n", strings.Repeat(" ", e.Position), e.Position)
	}
	return t.Flush()
}

// printable keeps what a page said from moving the terminal's cursor; each such
// character stays one.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
