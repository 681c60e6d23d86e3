package audit

import (
	"context"

	"github.com/google/uuid"
)

// ActorKind says what kind of actor made a change.
type ActorKind string

// The kinds of actors.
const (
	APIKey    ActorKind = "api_key"   // a key of the admin API
	Bootstrap ActorKind = "bootstrap" // the key of the configuration
	CLI       ActorKind = "cli"       // somebody at the command line
	WeCom     ActorKind = "wecom"     // the platform, or a corp by way of it
	System    ActorKind = "system"    // the service by itself
)

// Actor is who makes a change.
type Actor struct {
	Kind      ActorKind
	Name      string    // the key's, the operating system's user, or the kind's own
	APIKeyID  uuid.UUID // with kind APIKey
	IP        string    // the client's; "" where there is none
	RequestID string    // of the request; "" where there is none
}

type actorKey struct{}

// With says who acts from here on.
func With(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// From tells who acts: the system, where nobody said.
func From(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return Actor{Kind: System, Name: string(System)}
}

// AsSystem says that what follows the service does by itself.
func AsSystem(ctx context.Context) context.Context {
	return With(ctx, Actor{Kind: System, Name: string(System)})
}

// AsWeCom says that what follows is the platform's doing. Where the request is
// known that brought it, its address and id stay.
func AsWeCom(ctx context.Context) context.Context {
	a := From(ctx)
	return With(ctx, Actor{Kind: WeCom, Name: string(WeCom), IP: a.IP, RequestID: a.RequestID})
}
