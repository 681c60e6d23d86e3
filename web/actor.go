package web

import (
	"context"
	"net/netip"

	"github.com/google/uuid"

	"suitesign/audit"
	"suitesign/web/apikey"
)

// actorOf is who the audit log says it was: whoever holds the key.
func actorOf(ctx context.Context, holder apikey.Holder) audit.Actor {
	a := audit.Actor{Kind: audit.APIKey, Name: holder.Name, APIKeyID: holder.ID}
	if holder.ID == uuid.Nil {
		a.Kind = audit.Bootstrap
	}
	return from(ctx, a)
}

// asWeCom says of a callback, and of the way back from an installation, that
// what comes of it is the platform's doing.
func asWeCom(ctx context.Context) context.Context {
	return audit.With(ctx, from(ctx, audit.Actor{Kind: audit.WeCom, Name: string(audit.WeCom)}))
}

// from adds where the request comes from.
func from(ctx context.Context, a audit.Actor) audit.Actor {
	v := visitOf(ctx)
	a.RequestID = v.id
	if v.ip != (netip.Addr{}) {
		a.IP = v.ip.String()
	}
	return a
}
