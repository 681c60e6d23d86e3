package imports

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

// SealedColumns are the columns of this room that hold sealed values.
var SealedColumns = []secret.Column{{Table: "import_rows", Column: "sealed", Key: []string{"import_id", "line"}}}

// staged is what a row holds beside its ids, as it is sealed.
type staged struct {
	Aliases      []wecom.CorpID         `json:"aliases,omitempty"`
	Name         string                 `json:"name,omitempty"`
	Code         string                 `json:"permanent_code,omitempty"`
	Secret       string                 `json:"secret,omitempty"`
	Agents       []tenant.Agent         `json:"agents"` // null: not told
	Domains      []tenant.TrustedDomain `json:"domains,omitempty"`
	AuthorizedAt time.Time              `json:"authorized_at,omitzero"`
	Status       tenant.Status          `json:"status,omitempty"`
}

func place(id uuid.UUID, line int) secret.Binding {
	return SealedColumns[0].At(id.String(), strconv.Itoa(line))
}

func (s *Store) sealRow(id uuid.UUID, r *Record) ([]byte, error) {
	text, err := json.Marshal(staged{ //nolint:gosec // it is sealed before it goes anywhere
		r.Aliases, r.Name, r.PermanentCode.Reveal(), r.Secret.Reveal(), r.Agents, r.Domains, r.AuthorizedAt, r.Status,
	})
	if err != nil {
		return nil, fmt.Errorf("stage line %d: %w", r.Line, err)
	}
	return s.Ring.Seal(secret.New(string(text)), place(id, r.Line))
}

func (s *Store) openRow(id uuid.UUID, r *Record, sealed []byte) error {
	text, err := s.Ring.Open(sealed, place(id, r.Line))
	if err != nil {
		return err
	}
	var v staged
	if err := json.Unmarshal([]byte(text.Reveal()), &v); err != nil {
		return fmt.Errorf("line %d is not as it was staged", r.Line) // the decoder's error may quote it
	}
	r.Aliases, r.Name, r.Agents, r.Domains, r.AuthorizedAt, r.Status = v.Aliases, v.Name, v.Agents, v.Domains, v.AuthorizedAt, v.Status
	r.PermanentCode, r.Secret = secret.New(v.Code), secret.New(v.Secret)
	return nil
}
