package tenant

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"suitesign/reach"
	"suitesign/wecom"
)

// A Sort is an order of a list. Each has an index for every filter that it is
// allowed with, so that any page of any size of installation is read from the index and
// nothing is sorted: the migration list_indexes makes them, and web/api/openapi.yaml lists the pairs.
type Sort string

// The orders. Descending ones begin with a minus.
const (
	ByCreation    Sort = "created_at" // ids are made in the order of time
	ByCreationRev Sort = "-created_at"
	ByUpdate      Sort = "updated_at"
	ByUpdateRev   Sort = "-updated_at"
	ByName        Sort = "name" // whatever the case of A to Z; with Filter.Query by what matched, the name or else the corp_id
	ByNameRev     Sort = "-name"
)

// ErrCursor is returned for a Cursor that no page ended with.
var ErrCursor = errors.New("not a cursor of this list")

// A Cursor is where a page ended; the zero one is before the first.
type Cursor struct {
	Key string // what the list is sorted by; "" where that is the id
	ID  uuid.UUID
}

// nameKey is a name as it is sorted and looked for.
const nameKey = `lower(t.name) COLLATE "C"`

// Page answers with one page of the tenants that a filter selects, and with the
// cursor of the next one, which is zero at the end. It is one query. ErrCursor.
func (s *Store) Page(ctx context.Context, f Filter, by Sort, after Cursor, limit int) ([]Tenant, Cursor, error) {
	limit = min(max(limit, 1), MaxList)
	list := &list{filter: f, after: after, limit: limit + 1, reach: func(arg func(any) string) string {
		return reach.Condition(ctx, `t.suite_id = ANY (%s)`, `t.id = ANY (%s)`, arg)
	}}
	if suite, one := reach.OneSuite(ctx); one && f == (Filter{}) {
		list.filter.SuiteID = wecom.SuiteID(suite)
	}
	if err := list.order(by); err != nil {
		return nil, Cursor{}, err
	}
	rows, err := s.Pool.Query(ctx, list.query(), list.args...)
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("list tenants: %w", err)
	}
	var keys []string
	ts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Tenant, error) {
		t, key, err := scanListed(row)
		keys = append(keys, key)
		return t, err
	})
	if err != nil {
		return nil, Cursor{}, fmt.Errorf("list tenants: %w", err)
	}
	if len(ts) <= limit {
		return ts, Cursor{}, nil
	}
	last := ts[limit-1]
	next := Cursor{Key: keys[limit-1], ID: last.ID}
	if list.key == "t.updated_at" {
		next.Key = last.UpdatedAt.UTC().Format(time.RFC3339Nano)
	}
	return ts[:limit], next, nil
}

// list is a query in the making. What a filter does not ask for is not in it, so that
// the planner sees which index it is about.
type list struct {
	filter Filter
	after  Cursor
	limit  int
	key    string // "" where the id alone is the order
	down   bool
	args   []any
	reach  func(arg func(any) string) string // see reach.Condition
}

func (l *list) order(by Sort) error {
	name, down := strings.CutPrefix(string(by), "-")
	l.down = down
	switch Sort(name) {
	case ByUpdate:
		l.key = "t.updated_at"
	case ByName:
		l.key = nameKey
	default:
		if l.filter.Query != "" {
			l.key = nameKey
		}
	}
	if l.after == (Cursor{}) {
		return nil
	}
	if _, err := time.Parse(time.RFC3339Nano, l.after.Key); l.key == "t.updated_at" && err != nil || l.key == "" && l.after.Key != "" {
		return ErrCursor
	}
	return nil
}

// arg adds an argument and is its place.
func (l *list) arg(v any) string {
	l.args = append(l.args, v)
	return "$" + strconv.Itoa(len(l.args))
}

func (l *list) query() string {
	const columns = `SELECT ` + tenantColumns + `, ` + agentsColumn + `, `
	switch {
	case l.filter.Query != "":
		return columns + `t.key FROM ` + l.matches() + l.tail("t.key")
	case l.key == nameKey:
		return columns + nameKey + ` FROM tenants t` + l.where(l.key) + l.tail(l.key)
	}
	return columns + `'' FROM tenants t` + l.where(l.key) + l.tail(l.key)
}

// matches are the tenants whose name begins with what is looked for, and those
// whose corp_id does and whose name does not: two ranges of two indexes, merged.
func (l *list) matches() string {
	prefix := l.arg(l.filter.Query)
	begins := func(key, with string) string {
		// Nothing that begins with the text sorts behind it and the last character there is.
		return key + ` >= ` + with + ` AND ` + key + ` <= ` + with + ` || U&'\+10FFFF'`
	}
	name := begins(nameKey, `lower(`+prefix+`)`)
	corp := begins(`t.corp_id`, prefix)
	branch := func(key, condition string) string {
		return `(SELECT t.*, ` + key + ` AS key FROM tenants t` + l.where(key, condition) + l.tail(key) + `)`
	}
	return `(` + branch(nameKey, name) + ` UNION ALL ` + branch(`t.corp_id`, corp+` AND NOT (`+name+`)`) + `) t`
}

// where selects what the filter asks for, behind the cursor in the order of key.
func (l *list) where(key string, more ...string) string {
	all := more
	add := func(condition string, value string) {
		if value != "" {
			all = append(all, fmt.Sprintf(condition, l.arg(value)))
		}
	}
	lead, value := l.lead(key)
	if lead != "t.suite_id" {
		add(`t.suite_id = %s`, string(l.filter.SuiteID))
	}
	add(`t.id = ANY (ARRAY(SELECT i.tenant_id FROM tenant_corp_ids i WHERE i.corp_id = %s))`, string(l.filter.CorpID))
	if lead != "t.status" {
		add(`t.status = %s`, string(l.filter.Status))
	}
	if lead != "t.health" {
		add(`t.health = %s`, string(l.filter.Health))
	}
	all = append(all, l.reach(l.arg))
	behind := l.after != (Cursor{})
	after, end := ">", "<="
	if l.down {
		after, end = "<", ">="
	}
	switch {
	case lead != "" && behind:
		v := l.arg(value)
		all = append(all, "("+lead+", t.id) "+after+" ("+v+", "+l.arg(l.after.ID)+")", lead+" "+end+" "+v)
	case lead != "":
		v := l.arg(value)
		all = append(all, lead+" >= "+v+" AND "+lead+" <= "+v)
	case behind && key == "":
		all = append(all, "t.id "+after+" "+l.arg(l.after.ID))
	case behind:
		of := ""
		if key == "t.updated_at" {
			of = "::timestamptz"
		}
		id := l.arg(l.after.ID)
		all = append(all, "("+key+", t.id) "+after+" ("+l.arg(l.after.Key)+of+", "+id+")")
	}
	return " WHERE " + strings.Join(all, " AND ")
}

// lead is the column of a filter that leads the index in whose order of ids a page
// is read; "" where there is none. It is asked for as a range and stands in the
// order, too: of an equality the planner knows that it needs no order, takes the
// primary key, and reads on and on where the newest tenants are all of another
// suite or health, as after an import.
func (l *list) lead(key string) (column, value string) {
	switch f := l.filter; {
	case key != "" || f.CorpID != "":
	case f.SuiteID != "":
		return "t.suite_id", string(f.SuiteID)
	case f.Status != "":
		return "t.status", string(f.Status)
	case f.Health != "":
		return "t.health", string(f.Health)
	}
	return "", ""
}

func (l *list) tail(key string) string {
	direction := ""
	if l.down {
		direction = " DESC"
	}
	order := "t.id" + direction
	if lead, _ := l.lead(key); lead != "" {
		order = lead + direction + ", " + order
	}
	if key != "" {
		order = key + direction + ", " + order
	}
	return " ORDER BY " + order + " LIMIT " + strconv.Itoa(l.limit)
}

// agentsColumn holds a tenant's agents, as JSON: a list is one query.
const agentsColumn = `(SELECT COALESCE(json_agg(json_build_object('ID', a.agent_id, 'Name', a.name, 'AuthMode', a.auth_mode) ORDER BY a.agent_id), '[]')
	FROM agents a WHERE a.tenant_id = t.id)`
