package imports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"time"

	"suitesign/tenant"
	"suitesign/wecom"
)

// A Writer writes records as they can be read again.
type Writer struct {
	format Format
	csv    *csv.Writer
	json   io.Writer
}

// NewWriter begins a file; in CSV the header is written.
func NewWriter(f Format, w io.Writer) (*Writer, error) {
	if f == JSONL {
		return &Writer{format: f, json: w}, nil
	}
	out := &Writer{format: f, csv: csv.NewWriter(w)}
	return out, out.csv.Write(Columns)
}

// line is a record as JSON.
type line struct {
	SuiteID       wecom.SuiteID  `json:"suite_id,omitempty"`
	CorpID        wecom.CorpID   `json:"corp_id"`
	Aliases       []wecom.CorpID `json:"aliases,omitempty"`
	Name          string         `json:"name,omitempty"`
	PermanentCode string         `json:"permanent_code,omitempty"`
	Secret        string         `json:"secret,omitempty"`
	Agents        []agentLine    `json:"agents,omitempty"`
	Domains       []domainLine   `json:"domains,omitempty"`
	AuthorizedAt  string         `json:"authorized_at,omitempty"`
	Status        tenant.Status  `json:"status,omitempty"`
}

type agentLine struct {
	ID   wecom.AgentID `json:"agent_id"`
	Name string        `json:"name"`
}

type domainLine struct {
	Domain    string    `json:"domain"`
	Exact     bool      `json:"exact"`
	AllowHTTP bool      `json:"allow_http"`
	File      *fileLine `json:"verification_file,omitempty"`
}

type fileLine struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

// Write writes one record.
func (w *Writer) Write(r Record) error {
	l := lineOf(r)
	if w.format == JSONL {
		text, err := encode(l)
		if err == nil {
			_, err = w.json.Write(text)
		}
		return err
	}
	aliases := make([]string, len(l.Aliases))
	for i, a := range l.Aliases {
		aliases[i] = string(a)
	}
	agents, err := cell(l.Agents)
	if err != nil {
		return err
	}
	domains, err := cell(l.Domains)
	if err != nil {
		return err
	}
	cells := []string{string(l.SuiteID), string(l.CorpID), strings.Join(aliases, ";"), l.Name, l.PermanentCode, l.Secret, agents, domains, l.AuthorizedAt, string(l.Status)}
	for i, c := range cells {
		cells[i] = guard(c)
	}
	return w.csv.Write(cells)
}

// Flush writes what is held back.
func (w *Writer) Flush() error {
	if w.csv == nil {
		return nil
	}
	w.csv.Flush()
	return w.csv.Error()
}

func lineOf(r Record) line {
	l := line{SuiteID: r.SuiteID, CorpID: r.CorpID, Aliases: r.Aliases, Name: r.Name, Status: r.Status,
		PermanentCode: r.PermanentCode.Reveal(), Secret: r.Secret.Reveal()}
	if !r.AuthorizedAt.IsZero() {
		l.AuthorizedAt = r.AuthorizedAt.UTC().Format(time.RFC3339)
	}
	for _, a := range r.Agents {
		l.Agents = append(l.Agents, agentLine{a.ID, a.Name})
	}
	for _, d := range r.Domains {
		one := domainLine{Domain: d.String(), Exact: d.Exact, AllowHTTP: d.AllowHTTP}
		if d.VerificationName != "" {
			one.File = &fileLine{d.VerificationName, d.VerificationContent}
		}
		l.Domains = append(l.Domains, one)
	}
	return l
}

// encode is JSON with a newline, and with <, > and & as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// cell is a list as JSON in one cell; "" without entries.
func cell[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "", nil
	}
	text, err := encode(list)
	return strings.TrimSuffix(string(text), "\n"), err
}
