package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"suitesign/suite"
	"suitesign/tenant"
	"suitesign/web/imports"
	"suitesign/web/imports/convert"
	"suitesign/wecom"
)

type importCmd struct {
	File    importFileCmd    `cmd:"" default:"withargs" help:"Take in a file of tenants and work it off; ends 1 where rows failed."`
	Convert importConvertCmd `cmd:"" help:"Make such a file of what another system keeps."`
}

type importFileCmd struct {
	Path       string `arg:"" name:"file" help:"CSV or JSON lines, as docs/import.md says; - is standard input."`
	DryRun     bool   `help:"Only tell what would become of each row."`
	OnConflict string `enum:"skip,update" default:"skip" help:"What becomes of a tenant that is here already: skip or update."`
	Format     string `enum:"csv,jsonl," default:"" help:"csv or jsonl; by the file's name when left out."`
}

// Run takes a file in as POST /v1/imports does. The rows are worked off here,
// beside the workers of the service, if that runs at all.
func (i importFileCmd) Run(ctx context.Context, c *cli) error {
	format, err := i.format()
	if err != nil {
		return err
	}
	in, err := openInput(i.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	pool, ring, err := c.openRing(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	tenants := &tenant.Store{Pool: pool}
	store := &imports.Store{Pool: pool, Ring: ring, Suites: &suite.Store{Pool: pool, Ring: ring, Tenants: tenants}, Tenants: tenants}
	file := imports.File{Format: format, OnConflict: imports.OnConflict(i.OnConflict), By: "command line", Body: in}
	if i.DryRun {
		report, err := store.Try(ctx, file)
		if err != nil {
			return err
		}
		tellRows(os.Stdout, report.Rows)
		return tellCounts(report.Counts)
	}
	taken, err := store.Take(ctx, file)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Import %s: %d rows.\n", taken.ID, taken.Counts.Total)
	return workOff(ctx, store, taken)
}

func (i importFileCmd) format() (imports.Format, error) {
	switch {
	case i.Format != "":
		return imports.Format(i.Format), nil
	case strings.EqualFold(filepath.Ext(i.Path), ".csv"):
		return imports.CSV, nil
	case strings.EqualFold(filepath.Ext(i.Path), ".jsonl"), strings.EqualFold(filepath.Ext(i.Path), ".ndjson"):
		return imports.JSONL, nil
	}
	return "", errors.New("the file's name tells no format: say --format csv or --format jsonl")
}

// workOff works until the import is done, by whomever, and tells what failed.
func workOff(ctx context.Context, store *imports.Store, taken imports.Import) error {
	worker := &imports.Worker{Store: store}
	for taken.State != imports.Done {
		if taken.State == imports.Cancelled {
			return fmt.Errorf("import %s was cancelled", taken.ID)
		}
		if _, err := worker.RunOnce(ctx); err != nil {
			return err
		}
		var err error
		if taken, err = store.Get(ctx, taken.ID); err != nil {
			return err
		}
		if taken.State == imports.Done {
			break
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%w: the workers of the service go on; GET /v1/imports/%s tells how far it is", err, taken.ID)
		}
	}
	for after := 0; ; {
		rows, err := store.Rows(ctx, taken.ID, imports.RowFailed, after, 200)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return tellCounts(taken.Counts)
		}
		tellRows(os.Stdout, rows)
		after = rows[len(rows)-1].Line
	}
}

// tellRows tells what became of rows; of one that failed, what to do.
func tellRows(w io.Writer, rows []imports.Row) {
	for _, r := range rows {
		fmt.Fprintf(w, "line %d: %s %s %s\n", r.Line, r.State, printable(string(r.SuiteID)), printable(string(r.CorpID)))
		for _, f := range r.Faults {
			fmt.Fprintf(w, "  %s: %s %s\n", f.Code, printable(f.Field), f.En)
		}
	}
}

func tellCounts(c imports.Counts) error {
	fmt.Fprintf(os.Stderr, "%d rows: %d created, %d updated, %d unchanged, %d skipped, %d failed.\n", c.Total, c.Created, c.Updated, c.Unchanged, c.Skipped, c.Failed)
	if c.Failed > 0 {
		return errTold
	}
	return nil
}

func openInput(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(path)
}

type importConvertCmd struct {
	Path      string            `arg:"" name:"file" help:"What the other system's application keeps of its corps: JSON or CSV; - is standard input."`
	From      string            `enum:"wxjava,easywechat" required:"" help:"The other system: wxjava or easywechat."`
	SuiteID   string            `help:"The suite of records that name none."`
	RedisKeys string            `help:"Names of WxJava's Redis keys, one a line: tells the corps of which no code is known." placeholder:"FILE"`
	Column    map[string]string `help:"What a field is called in the input, as permanent_code=perm_code; may be repeated." placeholder:"FIELD=NAME"`
	Zone      string            `default:"UTC" help:"The time zone of times that name none, as Asia/Shanghai."`
}

// Run writes JSON lines to stdout and tells on stderr what could not be converted.
func (i importConvertCmd) Run() error {
	zone, err := time.LoadLocation(i.Zone)
	if err != nil {
		return fmt.Errorf("--zone: there is no time zone %q", i.Zone)
	}
	o := convert.Options{SuiteID: wecom.SuiteID(i.SuiteID), Columns: i.Column, Zone: zone}
	for field := range i.Column {
		if !strings.Contains(" "+strings.Join(convert.Fields(), " ")+" ", " "+field+" ") {
			return fmt.Errorf("--column: %q is none of %s", field, strings.Join(convert.Fields(), ", "))
		}
	}
	if i.RedisKeys != "" {
		if i.From != "wxjava" {
			return errors.New("--redis-keys goes with --from wxjava")
		}
		keys, err := os.Open(i.RedisKeys)
		if err != nil {
			return err
		}
		defer keys.Close()
		o.Keys = keys
	}
	in, err := openInput(i.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := imports.NewWriter(imports.JSONL, os.Stdout)
	if err != nil {
		return err
	}
	report, err := convert.Convert(in, out, o)
	if err != nil {
		return err
	}
	for _, s := range report.Skipped {
		fmt.Fprintf(os.Stderr, "record %d is left out: %s\n", s.Record, s.Why)
	}
	for _, m := range report.Missing {
		fmt.Fprintf(os.Stderr, "no code is known of %s %s: it cannot move\n", printable(string(m.SuiteID)), printable(string(m.CorpID)))
	}
	if report.Unused > 0 {
		fmt.Fprintf(os.Stderr, "%d corps have no key in Redis: they were not served lately\n", report.Unused)
	}
	fmt.Fprintf(os.Stderr, "%d corps can move.\n", report.Written)
	if len(report.Skipped)+len(report.Missing) > 0 {
		return errTold
	}
	return nil
}
