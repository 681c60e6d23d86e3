package wecom

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"suitesign/secret"
)

// encoding/json alone would match keys in any case and let the last of two win.
// parseReply makes a tree of the answer that has neither freedom; a reply is a
// node of it, with accessors that remember the first thing that was wrong.

const (
	maxReplyDepth = 32
	maxTextBytes  = 512 // of what is only shown: names, addresses
	maxValueBytes = 512 // of tokens, tickets and codes (path/90600 and the pages beside it)
)

var errNotJSON = errors.New("not JSON, or with something behind it")

// reply is an object of the answer. Keys that nobody asks for are ignored: the
// platform adds warning_msg and others at will.
type reply struct {
	obj    map[string]any
	path   string // how one gets here, for messages
	faults *[]string
}

// parseReply reads exactly one JSON object. Errors say where and never what.
func parseReply(body []byte) (*reply, error) {
	if !json.Valid(body) {
		return nil, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	v, err := readValue(dec, 0)
	if err != nil {
		return nil, err
	}
	obj, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return &reply{obj: obj, faults: new([]string)}, nil
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxReplyDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxReplyDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, errNotJSON
	}
	switch t {
	case json.Delim('{'):
		return readObject(dec, depth)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := readValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, readEnd(dec)
	}
	return t, nil
}

func readObject(dec *json.Decoder, depth int) (any, error) {
	obj := map[string]any{}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, errNotJSON
		}
		if _, twice := obj[key]; twice {
			return nil, errors.New("a key is there twice")
		}
		if obj[key], err = readValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	return obj, readEnd(dec)
}

// readEnd takes the closing brace or bracket.
func readEnd(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errNotJSON
	}
	return nil
}

// fault notes that the value of key is not what it must be.
func (r *reply) fault(key, problem string) {
	*r.faults = append(*r.faults, r.path+key+" "+problem)
}

// err is the first fault, or nil.
func (r *reply) err() error {
	if len(*r.faults) == 0 {
		return nil
	}
	return errors.New((*r.faults)[0])
}

// has reports whether key is there; null counts as absent.
func (r *reply) has(key string) bool { return r.obj[key] != nil }

// raw is a string as it came, or "".
func (r *reply) raw(key string) string {
	s, _ := r.obj[key].(string)
	return s
}

// text is for what is only shown. Whoever names a corp chooses it, so control
// characters (a NUL would upset the database) and excess length are dropped; what
// is no string is no reason to fail.
func (r *reply) text(key string) string {
	s := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, strings.ToValidUTF8(r.raw(key), ""))
	for len(s) > maxTextBytes {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// id is a required name of something.
func (r *reply) id(key string) string { return r.required(key, maxIDBytes) }

// secret is a required credential.
func (r *reply) secret(key string) secret.String {
	return secret.New(r.required(key, maxValueBytes))
}

func (r *reply) required(key string, limit int) string {
	s, ok := r.obj[key].(string)
	switch {
	case !r.has(key):
		r.fault(key, "is missing")
	case !ok:
		r.fault(key, "is not text")
	case s == "":
		r.fault(key, "is empty")
	case strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == utf8.RuneError || unicode.IsControl(c) }):
		r.fault(key, "holds blanks or control characters")
	default:
		if problem := checkText(s, limit); problem != "" {
			r.fault(key, problem)
		}
		return s
	}
	return ""
}

// expiresIn is the required lifetime: above zero, and believed up to MaxLifetime.
func (r *reply) expiresIn() time.Duration {
	const key = "expires_in"
	if !r.has(key) {
		r.fault(key, "is missing")
		return 0
	}
	n := r.integer(key)
	if n <= 0 {
		r.fault(key, "is not above zero")
		return 0
	}
	return time.Duration(min(n, int64(MaxLifetime/time.Second))) * time.Second
}

// integer is a number, or 0 if there is none. Written as 7200, 7200.0 or "7200" it
// means the same thing beyond doubt and is accepted; anything else is a fault.
func (r *reply) integer(key string) int64 {
	var n int64
	ok := true
	switch v := r.obj[key].(type) {
	case nil:
	case json.Number:
		n, ok = wholeNumber(v.String())
	case string:
		var err error
		n, err = strconv.ParseInt(v, 10, 64)
		ok = err == nil
	default:
		ok = false
	}
	if !ok {
		r.fault(key, "is not a whole number")
	}
	return n
}

func wholeNumber(s string) (int64, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	const exact = 1 << 53 // above, a float no longer names one number
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, false
	}
	return int64(f), true
}

// agentID is the required number of an app.
func (r *reply) agentID(key string) AgentID {
	if !r.has(key) {
		r.fault(key, "is missing")
	}
	n := r.integer(key)
	if n < 0 {
		r.fault(key, "is negative")
	}
	return AgentID(n)
}

// number is a number that is only shown or hinted at: what is none is 0 and no
// reason to fail.
func (r *reply) number(key string) int {
	v, ok := r.obj[key].(json.Number)
	if !ok {
		return 0
	}
	n, _ := wholeNumber(v.String())
	return int(n)
}

// flag is a truth value, as lenient as number: the platform writes some as bool and
// some as 0 and 1.
func (r *reply) flag(key string) bool {
	b, _ := r.obj[key].(bool)
	return b || r.number(key) != 0
}

// object is the object at key. Absent it is empty.
func (r *reply) object(key string) *reply {
	obj, ok := r.obj[key].(map[string]any)
	if r.has(key) && !ok {
		r.fault(key, "is not an object")
	}
	return &reply{obj: obj, path: r.path + key + ".", faults: r.faults}
}

// list is the objects at key. Absent it is empty.
func (r *reply) list(key string) []*reply {
	list, ok := r.obj[key].([]any)
	if r.has(key) && !ok {
		r.fault(key, "is not a list")
	}
	out := make([]*reply, 0, len(list))
	for i, v := range list {
		obj, ok := v.(map[string]any)
		if !ok {
			r.fault(key, "holds what is not an object")
		}
		out = append(out, &reply{obj: obj, path: r.path + key + "[" + strconv.Itoa(i) + "].", faults: r.faults})
	}
	return out
}

// requiredList is list, but must be there: a missing list must not look like an empty one.
func (r *reply) requiredList(key string) []*reply {
	if !r.has(key) {
		r.fault(key, "is missing")
	}
	return r.list(key)
}
