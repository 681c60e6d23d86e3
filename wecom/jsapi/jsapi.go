package jsapi

import (
	_ "embed" // the catalogue is part of the binary
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// JSON is the catalogue as it is served.
//
//go:embed apis.json
var JSON []byte

// Kind is the kind of suite that a page's app belongs to; its values are those of
// the admin API.
type Kind string

// The kinds.
const (
	ThirdParty Kind = "third_party" // 第三方应用
	Customized Kind = "customized"  // 代开发
	Internal   Kind = "internal"    // 自建应用
)

// Identity is the registration that an API asks for.
type Identity string

// The identities.
const (
	None  Identity = "none"  // no registration
	Corp  Identity = "corp"  // getConfigSignature, wx.config
	Agent Identity = "agent" // getAgentConfigSignature, wx.agentConfig
)

// A Text is the same in two languages.
type Text struct {
	En string `json:"en"`
	Zh string `json:"zh"`
}

// An API is one of the catalogue.
type API struct {
	Name       string            `json:"name"`
	Wire       string            `json:"wire"`
	Group      string            `json:"group"`
	Text                         // what it does
	Params     json.RawMessage   `json:"params,omitempty"` // to try it with; absent: it takes none
	Identity   map[Kind]Identity `json:"identity"`
	Clients    []Support         `json:"clients,omitempty"`
	Entries    []Entry           `json:"entries,omitempty"`
	Notes      []Text            `json:"notes,omitempty"`      // what else it asks for
	Correction *Text             `json:"correction,omitempty"` // what the guide gets wrong
	Deprecated bool              `json:"deprecated,omitempty"`
	Instead    []string          `json:"instead,omitempty"` // of a deprecated one
}

// A Support is a client that an API runs in.
type Support struct {
	App       App        `json:"app"`
	Platforms []Platform `json:"platforms,omitempty"` // nil: the notes name none
	Since     string     `json:"since,omitempty"`     // the app's version; "": the notes name none
}

// An Entry is a way into a page that an API wants.
type Entry struct {
	Entry string     `json:"entry"` // as getContext says it
	Since string     `json:"since,omitempty"`
	NotOn []Platform `json:"not_on,omitempty"`
}

// A Mistaken is a name that is in use and names nothing.
type Mistaken struct {
	Name       string   `json:"name"`
	Instead    []string `json:"instead"`
	Correction Text     `json:"correction"`
}

// A Correction is a mistake of the guide that concerns no single API.
type Correction struct {
	Topic string `json:"topic"`
	Text
}

// A Group is what an API belongs to.
type Group struct {
	Group string `json:"group"`
	Text
}

// A Catalogue is what apis.json holds.
type Catalogue struct {
	SDK         string       `json:"sdk"`     // whose APIs these are
	Guide       string       `json:"guide"`   // whose mistakes are corrected
	Entries     []string     `json:"entries"` // every entry that getContext knows
	Groups      []Group      `json:"groups"`  // in the guide's order; what it lacks comes last
	Corrections []Correction `json:"corrections"`
	Mistaken    []Mistaken   `json:"mistaken"`
	APIs        []API        `json:"apis"`
}

// read reads the embedded file once; the tests hold that it can be read.
var read = sync.OnceValue(func() (c struct {
	Catalogue
	byName map[string]*API
	wrong  map[string]*Mistaken
}) {
	if err := json.Unmarshal(JSON, &c.Catalogue); err != nil {
		panic(fmt.Errorf("apis.json: %w", err))
	}
	c.byName = make(map[string]*API, 2*len(c.APIs))
	for i := range c.APIs {
		c.byName[c.APIs[i].Wire] = &c.APIs[i]
	}
	for i := range c.APIs { // the SDK's names come before the client's
		c.byName[c.APIs[i].Name] = &c.APIs[i]
	}
	c.wrong = make(map[string]*Mistaken, len(c.Mistaken))
	for i := range c.Mistaken {
		c.wrong[c.Mistaken[i].Name] = &c.Mistaken[i]
	}
	return c
})

// All is the whole catalogue. It is shared: nobody changes it.
func All() Catalogue { return read().Catalogue }

// Find knows an API by the SDK's name or by the client's.
func Find(name string) (API, bool) {
	if a := read().byName[name]; a != nil {
		return *a, true
	}
	return API{}, false
}

// FindMistaken knows a name that is in use and names nothing.
func FindMistaken(name string) (Mistaken, bool) {
	if m := read().wrong[name]; m != nil {
		return *m, true
	}
	return Mistaken{}, false
}

// For is the identity that the API asks of an app of a kind; false where apps of
// that kind may not call it.
func (a API) For(k Kind) (Identity, bool) {
	id, ok := a.Identity[k]
	return id, ok
}

// Named reports whether a list, as jsApiList, has the API by one of its names.
func (a API) Named(list []string) bool {
	return slices.Contains(list, a.Name) || slices.Contains(list, a.Wire)
}

// OpensFrom reports whether the API may be called on a page that was opened from
// an entry, and since which version of the app that is so.
func (a API) OpensFrom(entry string, p Platform) (since string, ok bool) {
	if len(a.Entries) == 0 {
		return "", true
	}
	for _, e := range a.Entries {
		if e.Entry == entry && !slices.Contains(e.NotOn, p) {
			return e.Since, true
		}
	}
	return "", false
}
