package signing

import (
	"context"

	"github.com/google/uuid"

	"suitesign/tenant"
)

// Whom answers with the tenant whose ticket would sign for a page, before it is
// asked whether that tenant may: ErrTenantNotFound, ErrTenantAmbiguous, or
// ErrUntrusted where nobody is named and nobody trusts the page.
func (d *Directory) Whom(ctx context.Context, suiteID, corpID string, page tenant.Page) (uuid.UUID, error) {
	e, err := d.find(ctx, suiteID, corpID, page)
	if err != nil {
		return uuid.Nil, err
	}
	return e.id, nil
}
