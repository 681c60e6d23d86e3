package main

import (
	"strings"
	"testing"
	"time"

	"suitesign/migrations/pgtest"
	"suitesign/secret"
)

// What the audit log keeps no longer goes, in batches; 0 keeps all of it.
func TestTheAuditLogForgetsWhatIsOld(t *testing.T) {
	config := defaultConfig()
	config.DatabaseURL = secret.New(pgtest.URL(t))
	pools, err := openPools(config)
	if err != nil {
		t.Fatal(err)
	}
	defer pools.close()
	const fill = `INSERT INTO audit_log (id, at, actor_kind, actor, action, target_kind, target_id)
		SELECT gen_random_uuid(), now() - n * interval '1 day', 'cli', 'x', 'suite.create', 'suite', 's' FROM generate_series(1, $1::int) n`
	if _, err := pools.working.Exec(t.Context(), fill, auditBatch+450); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		retention time.Duration
		left      int
	}{{0, auditBatch + 450}, {config.Audit.Retention, 400}, {30 * 24 * time.Hour, 30}} {
		a := &app{config: config, pools: pools}
		a.config.Audit.Retention = tt.retention
		if err := a.pruneAudit(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := pools.working.QueryRow(t.Context(), `SELECT count(*) FROM audit_log`).Scan(&left); err != nil {
			t.Fatal(err)
		}
		if left > tt.left || left < tt.left-1 { // the last of them is of age by now
			t.Errorf("%d entries are left by a retention of %s, want %d", left, tt.retention, tt.left)
		}
	}
}

func TestARetentionIsThirtyDaysOrNone(t *testing.T) {
	for value, ok := range map[string]bool{"0": true, "0s": true, "720h": true, "9600h": true, "719h": false, "1s": false, "-1h": false, "900000h": false} {
		_, err := loadConfig("", []string{goodURL, goodKey, "SUITESIGN_AUDIT_RETENTION=" + value})
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "SUITESIGN_AUDIT_RETENTION") {
			t.Errorf("SUITESIGN_AUDIT_RETENTION=%s: %v, want ok %v", value, err, ok)
		}
	}
}
