package main

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// readFile reads the YAML file, strictly: what is unknown, repeated or of another
// type is a fault. It walks the document itself because a decoder ends at the
// first fault, takes an empty file for a configuration of zeroes, and may quote
// the values that it refuses, which can be secrets.
func readFile(path string, c *Config, found *faults) {
	if path == "" {
		return
	}
	data, err := os.ReadFile(path)
	if err != nil {
		found.add("%s cannot be read: %s", path, reason(err))
		return
	}
	doc, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey()) // they are found below, with all other faults
	if err != nil {
		found.add("%s, line %d: from here on it is not YAML", path, lineOf(err))
		return
	}
	f := configFile{path: path, config: c, found: found, seen: map[string]bool{}}
	for i, d := range doc.Docs {
		if i > 0 {
			found.add("%s holds several documents; leave the first", path)
			return
		}
		f.section("", d.Body)
	}
}

// configFile is a file that is being read.
type configFile struct {
	path   string
	config *Config
	found  *faults
	seen   map[string]bool // keys
}

// section reads the keys of a mapping; prefix is the key that it stands under.
// One that holds nothing leaves the defaults.
func (f configFile) section(prefix string, n ast.Node) {
	switch n := n.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		for _, v := range n.Values {
			f.entry(prefix+v.Key.GetToken().Value, v)
		}
	default:
		f.fault(n, "%s has to hold keys with values", where(strings.TrimSuffix(prefix, ".")))
	}
}

func (f configFile) entry(key string, v *ast.MappingValueNode) {
	i := slices.IndexFunc(settings, func(s setting) bool { return s.key == key })
	again := f.seen[key]
	f.seen[key] = true
	switch {
	case again:
		f.fault(v.Key, "%s stands there already", where(key))
	case i >= 0:
		f.value(settings[i], v.Value)
	case slices.ContainsFunc(settings, func(s setting) bool { return strings.HasPrefix(s.key, key+".") }):
		f.section(key+".", v.Value)
	default:
		f.fault(v.Key, "%s is no setting of this version", where(key))
	}
}

func (f configFile) value(s setting, n ast.Node) {
	if _, null := n.(*ast.NullNode); null {
		return // as if it were not there
	}
	text, ok := textOf(n, s)
	if !ok || !s.set(f.config, text) {
		f.fault(n, "%s has to be %s", s.key, s.wants())
	}
}

func (f configFile) fault(n ast.Node, format string, args ...any) {
	f.found.add("%s, line %d: "+format, append([]any{f.path, n.GetToken().Position.Line}, args...)...)
}

// textOf is a value as it stands in the file: the settings' parser reads it.
// Anchors, aliases and tags are no values here.
func textOf(n ast.Node, s setting) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.SequenceNode:
		if !s.isList() {
			return "", false
		}
		var items []string
		for _, v := range n.Values {
			item, ok := textOf(v, setting{})
			if !ok {
				return "", false
			}
			items = append(items, item)
		}
		return strings.Join(items, ","), true
	}
	return "", false
}

// lineOf is where the parser stopped. What it says beside that may quote the file.
func lineOf(err error) int {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return at.GetToken().Position.Line
	}
	return 1
}

var settingLike = regexp.MustCompile(`^[a-z_.]{1,40}$`)

// where names a key. One that does not look like a setting's may be a value that
// slipped, and that may be a secret: the line has to do.
func where(key string) string {
	if key == "" {
		return "the file"
	}
	if !settingLike.MatchString(key) {
		return "the key"
	}
	return key
}
