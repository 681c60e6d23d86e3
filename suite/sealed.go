package suite

import (
	"fmt"

	"github.com/google/uuid"

	"suitesign/secret"
	"suitesign/wecom"
)

// SealedColumns are the columns of this room that hold sealed values.
var SealedColumns = []secret.Column{
	{Table: "suites", Column: "suite_secret_sealed", Key: []string{"suite_id"}},
	{Table: "suites", Column: "callback_token_sealed", Key: []string{"suite_id"}},
	{Table: "suites", Column: "encoding_aes_key_sealed", Key: []string{"suite_id"}},
	{Table: "suites", Column: "previous_callback_token_sealed", Key: []string{"suite_id"}},
	{Table: "suites", Column: "previous_encoding_aes_key_sealed", Key: []string{"suite_id"}},
	{Table: "suite_tickets", Column: "ticket_sealed", Key: []string{"suite_id"}},
	{Table: "suite_tokens", Column: "token_sealed", Key: []string{"suite_id"}},
	{Table: "callback_events", Column: "payload_sealed", Key: []string{"id"}},
	{Table: "exchanges", Column: "code_sealed", Key: []string{"id"}},
	{Table: "exchanges", Column: "permanent_code_sealed", Key: []string{"id"}},
	{Table: "authorizations", Column: "permanent_code_sealed", Key: []string{"tenant_id"}},
}

// bound names the place in a suite's own tables where a value is stored.
func bound(table, column string, id wecom.SuiteID) secret.Binding {
	return secret.Binding{Table: table, Column: column, Row: string(id)}
}

// boundRow is bound for the tables whose key is a uuid.
func boundRow(table, column string, id uuid.UUID) secret.Binding {
	return secret.Binding{Table: table, Column: column, Row: id.String()}
}

// seal seals v for its place; no value stays no value.
func seal(ring secret.Sealer, v secret.String, b secret.Binding) ([]byte, error) {
	if v.IsZero() {
		return nil, nil
	}
	sealed, err := ring.Seal(v, b)
	if err != nil {
		return nil, fmt.Errorf("seal %s.%s: %w", b.Table, b.Column, err)
	}
	return sealed, nil
}

// open opens what is stored at b; NULL is the zero String.
func open(ring secret.Sealer, sealed []byte, b secret.Binding) (secret.String, error) {
	if sealed == nil {
		return secret.String{}, nil
	}
	v, err := ring.Open(sealed, b)
	if err != nil {
		return secret.String{}, fmt.Errorf("open %s.%s: %w", b.Table, b.Column, err)
	}
	return v, nil
}
