//go:build unix

package pgtest

import "testing"

func TestWithDatabase(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ conn, want string }{
		{"postgres://u:p@db:5432/postgres?sslmode=disable", "postgres://u:p@db:5432/x?sslmode=disable"},
		{"postgres://u@/postgres?host=%2Ftmp&port=1", "postgres://u@/x?host=%2Ftmp&port=1"},
		{"postgres://u@db", "postgres://u@db/x"},
		{"host=/tmp user=u dbname=postgres", "host=/tmp user=u dbname=postgres dbname=x"},
	} {
		if got := withDatabase(tt.conn, "x"); got != tt.want {
			t.Errorf("withDatabase(%q) = %q, want %q", tt.conn, got, tt.want)
		}
	}
}
