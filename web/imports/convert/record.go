package convert

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"suitesign/tenant"
	"suitesign/wecom"
)

// record is what was kept of one corp: the object itself, and the answers of the
// platform that it holds, in the order in which they are looked into.
type record []map[string]any

// holders are the fields in which an answer of the platform may be kept whole, as
// an object or as JSON text.
var holders = []string{"auth_info", "authInfo", "authorization", "response", "raw", "data"}

func newRecord(of map[string]any) record {
	r := record{of}
	for _, name := range holders {
		switch held := of[name].(type) {
		case map[string]any:
			r = append(r, held)
		case string:
			if v, ok := decode([]byte(held)).(map[string]any); ok {
				r = append(r, v)
			}
		}
	}
	return r
}

func decode(text []byte) any {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// find is the first value that one of the paths leads to.
func (r record) find(paths []string) any {
	for _, object := range r {
		for _, path := range paths {
			var at any = object
			for name := range strings.SplitSeq(path, ".") {
				inner, _ := at.(map[string]any)
				at = inner[name]
			}
			if at != nil && at != "" {
				return at
			}
		}
	}
	return nil
}

func (r record) text(paths []string) string {
	switch v := r.find(paths).(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	}
	return ""
}

// agents are those of a list, or the one whose number stands by itself; nil where none is told.
func (r record) agents(lists, single []string) ([]tenant.Agent, bool) {
	list, _ := r.find(lists).([]any)
	var out []tenant.Agent
	for _, item := range list {
		object, _ := item.(map[string]any)
		inner := record{object}
		a, ok := agent(inner.text(single), inner.text([]string{"name", "agent_name", "agentName"}))
		if !ok {
			return nil, false
		}
		out = append(out, a)
	}
	if one := r.text(single); out == nil && one != "" {
		a, ok := agent(one, "")
		return []tenant.Agent{a}, ok
	}
	return out, true
}

func agent(number, name string) (tenant.Agent, bool) {
	id, err := strconv.ParseInt(number, 10, 64)
	return tenant.Agent{ID: wecom.AgentID(id), Name: name}, err == nil && id > 0
}

// records hands out what the input holds: a JSON array, JSON values one after the
// other, or CSV with a header.
func records(in io.Reader, f func(record) error) error {
	b := bufio.NewReader(in)
	if head, err := b.Peek(3); err == nil && string(head) == "\xEF\xBB\xBF" {
		_, _ = b.Discard(3) // what was peeked is there
	}
	for {
		c, err := b.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: it is empty", ErrInput)
		case err != nil:
			return err
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		if err := b.UnreadByte(); err != nil {
			return err
		}
		if c == '[' || c == '{' {
			return jsonRecords(b, c == '[', f)
		}
		return csvRecords(b, f)
	}
}

func jsonRecords(in io.Reader, array bool, f func(record) error) error {
	dec := json.NewDecoder(in)
	dec.UseNumber()
	if array {
		if _, err := dec.Token(); err != nil {
			return fmt.Errorf("%w: it is not JSON", ErrInput)
		}
	}
	for n := 1; ; n++ {
		if array && !dec.More() {
			return nil
		}
		var object map[string]any
		err := dec.Decode(&object)
		if errors.Is(err, io.EOF) && !array {
			return nil
		}
		if err != nil { // whose text may quote a value
			return fmt.Errorf("%w: record %d is not a JSON object", ErrInput, n)
		}
		if err := f(newRecord(object)); err != nil {
			return err
		}
	}
}

func csvRecords(in io.Reader, f func(record) error) error {
	r := csv.NewReader(in)
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("%w: its first line is neither JSON nor names of columns", ErrInput)
	}
	for n := 2; ; n++ {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: row %d has another number of cells than the first line, or a quote that is not closed", ErrInput, n)
		}
		object := make(map[string]any, len(cells))
		for i, cell := range cells {
			object[strings.TrimSpace(header[i])] = cell
		}
		if err := f(newRecord(object)); err != nil {
			return err
		}
	}
}
