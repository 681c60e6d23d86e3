package migrations_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"suitesign/migrations"
	"suitesign/migrations/pglocal"
	"suitesign/migrations/pgtest"
)

var update = flag.Bool("update", false, "write schema.sql anew")

// dump is the schema of a database as pg_dump tells it, without what differs from
// server to server.
func dump(t *testing.T, url string) string {
	t.Helper()
	bin, err := pglocal.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin.Path("pg_dump"), "--schema-only", "--no-owner", "--no-privileges",
		"--exclude-table=schema_migrations", url)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pg_dump: %v: %s", err, stderr.String())
	}
	return normalise(string(out))
}

// preamble matches what pg_dump writes to set up the session that reads it: which
// settings there are depends on its version, \restrict carries a random word.
var preamble = regexp.MustCompile(`^(--|SET |SELECT pg_catalog\.set_config|\\restrict |\\unrestrict |CREATE SCHEMA public;|COMMENT ON SCHEMA public)`)

func normalise(dump string) string {
	var kept []string
	for line := range strings.Lines(dump) {
		line = strings.TrimRight(line, "\n")
		if preamble.MatchString(line) || (line == "" && (len(kept) == 0 || kept[len(kept)-1] == "")) {
			continue
		}
		kept = append(kept, strings.ReplaceAll(line, "public.", ""))
	}
	return strings.TrimRight(strings.Join(kept, "\n"), "\n") + "\n"
}

func TestSchemaFileIsTrue(t *testing.T) {
	t.Parallel()
	const file = "schema.sql"
	got := "-- The schema in one piece, for reading. Made by: go test ./migrations -run SchemaFile -update\n\n" + dump(t, pgtest.URL(t))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("schema.sql is not what the migrations make; run go test ./migrations -run SchemaFile -update (-file +database):\n%s", diff)
	}
}

func TestDownTakesBackExactlyWhatUpDid(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	empty := dump(t, url)
	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	full := dump(t, url)
	if full == empty {
		t.Fatal("Up made nothing, so this shows nothing")
	}

	// Step by step, so that each migration is undone by its own file.
	schemas := []string{full}
	for {
		s, err := migrations.Status(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if s.Version == 0 {
			break
		}
		if err := migrations.DownSteps(t.Context(), url, 1); err != nil {
			t.Fatalf("down from version %d: %v", s.Version, err)
		}
		schemas = append(schemas, dump(t, url))
	}
	if diff := cmp.Diff(empty, schemas[len(schemas)-1]); diff != "" {
		t.Errorf("after all the way down (-empty +left):\n%s", diff)
	}
	for i := 1; i < len(schemas); i++ {
		if schemas[i] == schemas[i-1] {
			t.Errorf("step %d down changed nothing", i)
		}
	}

	if err := migrations.Up(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, dump(t, url)); diff != "" {
		t.Errorf("up, down and up again (-first +second):\n%s", diff)
	}
	if err := migrations.Down(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(empty, dump(t, url)); diff != "" {
		t.Errorf("after Down (-empty +left):\n%s", diff)
	}
}
