package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"suitesign/secret"
)

// setting is one value of Config under both of its names. File and environment
// are read by the same parser, so that a value means the same in either.
type setting struct {
	key      string       // in the file: signing.max_stale
	variable string       // in the environment: SUITESIGN_SIGNING_MAX_STALE
	kind     reflect.Type // of the field
}

// settings are all of them, in the order of the struct.
var settings = settingsOf(reflect.TypeFor[Config](), "", envPrefix)

func settingsOf(t reflect.Type, key, variable string) []setting {
	var all []setting
	for i := range t.NumField() {
		f := t.Field(i)
		switch name := f.Tag.Get("yaml"); {
		case name == "-":
		case f.Tag.Get("envPrefix") != "":
			all = append(all, settingsOf(f.Type, key+name+".", variable+f.Tag.Get("envPrefix"))...)
		default:
			all = append(all, setting{key + name, variable + f.Tag.Get("env"), f.Type})
		}
	}
	return all
}

// isSecret tells that the value must not be shown, and can be given as a file.
func (s setting) isSecret() bool { return s.kind == reflect.TypeFor[secret.String]() }

// isList tells that several values may stand there.
func (s setting) isList() bool { return s.kind == reflect.TypeFor[[]string]() }

// set reads text into c; false where it is no such value.
func (s setting) set(c *Config, text string) bool {
	return env.ParseWithOptions(c, env.Options{Environment: map[string]string{s.variable: text}, Prefix: envPrefix,
		FuncMap: map[reflect.Type]env.ParserFunc{
			reflect.TypeFor[secret.String](): func(v string) (any, error) { return secret.New(v), nil },
			reflect.TypeFor[[]string]():      func(v string) (any, error) { return splitList(v), nil },
		}}) == nil
}

// wants says in words what the value has to be.
func (s setting) wants() string {
	switch s.kind {
	case reflect.TypeFor[time.Duration]():
		return "a duration like 90s or 15m"
	case reflect.TypeFor[float64]():
		return "a number"
	case reflect.TypeFor[int]():
		return "a whole number"
	case reflect.TypeFor[bool]():
		return "true or false"
	}
	return "text"
}

func splitList(text string) []string {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

// readEnv reads what the environment says. An empty variable means the same as none.
func readEnv(environ []string, c *Config, found *faults) {
	vars := env.ToMap(environ)
	for _, s := range settings {
		text := vars[s.variable]
		if s.isSecret() {
			text = secretText(vars, s.variable, found)
		}
		if text != "" && !s.set(c, text) {
			found.add("%s has to be %s", s.variable, s.wants())
		}
	}
}

// secretText is the value of a variable, or what stands in the file that the
// variable of the same name with _FILE names.
func secretText(vars map[string]string, variable string, found *faults) string {
	file := vars[variable+"_FILE"]
	switch {
	case file == "":
		return vars[variable]
	case vars[variable] != "":
		found.add("%s and %s_FILE are both set; set one of them", variable, variable)
		return ""
	}
	data, err := os.ReadFile(file)
	if err != nil {
		found.add("%s_FILE names %s, which cannot be read: %s", variable, file, reason(err))
		return ""
	}
	text := strings.TrimRight(string(data), "\r\n") // as the end of a file has it
	if text == "" {
		found.add("%s_FILE names %s, which is empty", variable, file)
	}
	return text
}

// unknownVariables are SUITESIGN_ variables that mean nothing, most often a slip of
// the pen. They are told, not refused: an older binary must start with a newer
// release's environment.
func unknownVariables(environ []string) []string {
	known := map[string]bool{envPrefix + "CONFIG": true}
	for _, s := range settings {
		known[s.variable] = true
		known[s.variable+"_FILE"] = s.isSecret()
	}
	var unknown []string
	for name := range env.ToMap(environ) {
		if strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, envPrefix+"TEST_") && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// reason is a file error without the path, which the caller has named.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return fmt.Sprint(err)
}
