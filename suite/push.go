package suite

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"

	"suitesign/wecom"
)

// action is what a push has us do.
type action int

const (
	actNothing  action = iota // kept, acknowledged, changes nothing
	actTicket                 // suite_ticket: keep it if it is not older
	actExchange               // create_auth, reset_permanent_code: begin an exchange
	actChange                 // change_auth: pull the agents again
	actCancel                 // cancel_auth: the corp is gone
)

// The InfoTypes that are acted on (protocol.md 2.5).
const (
	infoSuiteTicket        = "suite_ticket"
	infoCreateAuth         = "create_auth"
	infoChangeAuth         = "change_auth"
	infoCancelAuth         = "cancel_auth"
	infoResetPermanentCode = "reset_permanent_code"

	// unreadable is the info_type of a validly sealed message that is no event.
	unreadable = "(unreadable)"
)

// authorizationEvents are kept longer than the others.
var authorizationEvents = []string{infoCreateAuth, infoChangeAuth, infoCancelAuth, infoResetPermanentCode}

// push is an opened callback.
type push struct {
	id       uuid.UUID // of its row, should it be a new one
	suite    wecom.SuiteID
	door     Door
	receiver wecom.CorpID // receiveid
	message  []byte
	digest   []byte // of the message alone: a redelivery has a new ciphertext
	name     string
	event    wecom.Event
	act      action
}

// readPush reads what was opened and decides what it may do. Only the platform
// can seal, so a message that is not understood is kept rather than refused: the
// platform would deliver it again, and fail the app in its review.
func readPush(id wecom.SuiteID, door Door, o wecom.Opened) (push, error) {
	digest := sha256.Sum256(o.Message)
	p := push{
		id: uuid.Must(uuid.NewV7()), suite: id, door: door, receiver: wecom.CorpID(o.ReceiveID),
		message: o.Message, digest: digest[:], name: unreadable,
	}
	e, err := wecom.ParseEvent(o.Message)
	if err != nil {
		return p, nil //nolint:nilerr // kept as unreadable
	}
	if e.SuiteID != "" && e.SuiteID != id {
		return push{}, fmt.Errorf("%w: it is for another suite", ErrForged)
	}
	p.event, p.name, p.act = e, e.Name(), allowed(id, door, o.ReceiveID, e)
	return p, nil
}

// allowed is the receiveid rule: a command acts only when it is sealed for the
// suite, or for nobody (a provider that is a person); what comes by the data URL
// acts only on a corp that is known, which the database decides, and never on
// the suite itself.
func allowed(id wecom.SuiteID, door Door, receiver string, e wecom.Event) action {
	act := actionOf(e)
	switch {
	case door == CommandDoor && (receiver == string(id) || receiver == ""):
		return act
	case door == DataDoor && receiver != "" && (act == actChange || act == actCancel):
		return act
	default:
		return actNothing
	}
}

// actionOf is what an event means. An event without what its action needs means nothing.
func actionOf(e wecom.Event) action {
	switch {
	case e.InfoType == infoSuiteTicket && !e.SuiteTicket.IsZero():
		return actTicket
	case e.InfoType == infoCreateAuth && !e.AuthCode.IsZero(), e.InfoType == infoResetPermanentCode && !e.AuthCode.IsZero():
		return actExchange
	case e.InfoType == infoChangeAuth && e.AuthCorpID != "":
		return actChange
	case e.InfoType == infoCancelAuth && e.AuthCorpID != "":
		return actCancel
	default:
		return actNothing
	}
}

// toldAt is the event's own time, NULL where it tells none.
func (p push) toldAt() *time.Time {
	if t := p.event.Time(); !t.IsZero() {
		return &t
	}
	return nil
}

// state is the event's state once it is stored.
func (p push) state() EventState {
	switch p.act {
	case actTicket, actChange:
		return eventDone // in the same statement
	case actExchange, actCancel:
		return eventPending
	default:
		return eventIgnored
	}
}
