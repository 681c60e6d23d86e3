package web

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/oapi-codegen/nullable"

	"suitesign/web/api"
)

const (
	defaultLimit = 50  // the contract's
	maxLimit     = 200 // the contract's
)

// limitOf is how many things a page holds.
func limitOf(limit *api.Limit) int {
	if limit == nil {
		return defaultLimit
	}
	return min(max(int(*limit), 1), maxLimit)
}

// nextCursor makes a cursor of what the next page of a list begins after. The
// list's name is in it, so that a cursor of another list is refused.
func nextCursor(list string, after ...string) nullable.Nullable[api.NextCursor] {
	b, err := json.Marshal(append([]string{list}, after...))
	if err != nil { // strings always marshal
		panic(err)
	}
	return nullable.NewNullableWithValue(base64.RawURLEncoding.EncodeToString(b))
}

// lastPage is the next_cursor of a last page.
func lastPage() nullable.Nullable[api.NextCursor] { return nullable.NewNullNullable[api.NextCursor]() }

// readCursor reads what nextCursor made into as many parts; false without a cursor.
func readCursor(cursor *api.Cursor, list string, parts ...any) (bool, error) {
	if cursor == nil {
		return false, nil
	}
	var got []string
	b, err := base64.RawURLEncoding.Strict().DecodeString(*cursor)
	if err != nil || json.Unmarshal(b, &got) != nil || len(got) != len(parts)+1 || got[0] != list {
		return false, errCursor
	}
	for i, part := range parts {
		if !readPart(got[i+1], part) {
			return false, errCursor
		}
	}
	return true, nil
}

func readPart(text string, part any) bool {
	switch to := part.(type) {
	case *string:
		*to = text
		return !strings.ContainsRune(text, 0) // Postgres stores none
	case *int:
		n, err := strconv.Atoi(text)
		*to = n
		return err == nil
	case interface{ UnmarshalText([]byte) error }: // uuid.UUID, time.Time
		return to.UnmarshalText([]byte(text)) == nil
	}
	return false
}

// descends tells whether a list goes from the last to the first.
func descends[S ~string](sort *S, byDefault bool) bool {
	if sort == nil {
		return byDefault
	}
	return strings.HasPrefix(string(*sort), "-")
}

var errCursor = invalid("cursor",
	"cursor is not the next_cursor of a page of this list.",
	"cursor 不是本列表返回的 next_cursor。")

// pageOf cuts what was asked for with one thing too many to a page of limit
// things; cursor makes the next page's cursor of the last of them.
func pageOf[T any](things []T, limit int, cursor func(last T) nullable.Nullable[api.NextCursor]) ([]T, nullable.Nullable[api.NextCursor]) {
	if len(things) <= limit {
		return things, lastPage()
	}
	things = things[:limit]
	return things, cursor(things[limit-1])
}

// convert turns every thing of a list into how the contract shows it. An empty list stays a list.
func convert[T, U any](things []T, show func(T) U) []U {
	out := make([]U, len(things))
	for i, thing := range things {
		out[i] = show(thing)
	}
	return out
}

// etag is how a version looks outside; what the thing looks like is added to it (withDigest).
func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch is the version that If-Match asks for; nil where every version will
// do. What the thing looked like does not matter: its health changes by itself. A tag
// that is none of ours, a weak one too (RFC 9110 13.1.1), matches no version.
func ifMatch(header *api.IfMatch) *int64 {
	if header == nil || *header == "*" {
		return nil
	}
	version := int64(-1)
	if text, ok := strings.CutPrefix(*header, `"`); ok {
		text, _, _ = strings.Cut(strings.TrimSuffix(text, `"`), "-")
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
			version = n
		}
	}
	return &version
}

// Values that may be absent.

func orNull[T any](v T, present bool) nullable.Nullable[T] {
	if !present {
		return nullable.NewNullNullable[T]()
	}
	return nullable.NewNullableWithValue(v)
}

func timeOrNull(t *time.Time) nullable.Nullable[time.Time] {
	if t == nil || t.IsZero() {
		return nullable.NewNullNullable[time.Time]()
	}
	return nullable.NewNullableWithValue(t.UTC())
}

// deref is what p points to, or the zero value.
func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
