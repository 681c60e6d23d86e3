package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"suitesign/changes"
	"suitesign/standby"
	"suitesign/wecom"
)

// Door is one of a suite's two callback URLs.
type Door string

// The callback URLs of a suite.
const (
	CommandDoor Door = "command" // 指令回调
	DataDoor    Door = "data"    // 数据回调
)

var (
	// ErrForged is returned for what was not sealed by the platform for this URL.
	// It does not tell how far the envelope came; [wecom.EnvelopeError] in the chain does.
	ErrForged = errors.New("callback refused")
	// ErrMalformedCallback is returned for a request that is no callback at all.
	ErrMalformedCallback = errors.New("malformed callback")
)

const answerWithin = 900 * time.Millisecond

// previousKey is the outcome of what the pair before the current one opened.
const previousKey = "previous_key"

// Callbacks is what stands behind a suite's two callback URLs.
type Callbacks struct {
	Store   *Store
	Within  time.Duration                   // how long a callback may take; 0: 900 ms, for the platform waits for 1000
	Now     func() time.Time                // time.Now unless set; ages the keys in memory
	Observe func(door Door, outcome string) // counts outcomes; nil: nobody does

	cache keyCache
}

// Handle forgets the keys of suites that changed.
func (c *Callbacks) Handle(_ context.Context, list []changes.Change) {
	for _, change := range list {
		if change.Topic == changes.Suite {
			c.cache.forget(wecom.SuiteID(change.Key))
		}
		if change.Topic == changes.Everything {
			c.cache.forgetAll()
		}
	}
}

// Known reports whether the keys of a suite are in memory.
func (c *Callbacks) Known(id wecom.SuiteID) bool {
	_, fresh := c.cache.get(id, c.now(), keysFor)
	return fresh
}

// Verify answers the console's URL verification with the plaintext to echo.
// The console seals for the provider's own corpid, at both doors (protocol.md
// 2.4); an empty receiveid belongs to a provider that is a person. A plaintext
// that looks like a message is not echoed: an intercepted push, sent here as
// echostr, would be decrypted for whoever has it.
// ErrNotFound, ErrMalformedCallback, ErrForged.
func (c *Callbacks) Verify(ctx context.Context, id wecom.SuiteID, door Door, q wecom.Query, echostr string) ([]byte, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	d, opened, err := c.open(ctx, id, func(keys wecom.Keys) (wecom.Opened, error) { return keys.OpenEcho(q, echostr) })
	if err == nil {
		err = echoable(d, opened)
	}
	if err != nil {
		c.count(door, outcomeOf(err))
		return nil, fmt.Errorf("suite %s: %s url: %w", id, door, err)
	}
	if opened.KeyIndex > 0 {
		c.count(door, previousKey)
	} else {
		c.count(door, "verified")
	}
	return opened.Message, nil
}

func echoable(d doorKeys, o wecom.Opened) error {
	if d.provider != "" && o.ReceiveID != "" && o.ReceiveID != string(d.provider) {
		return fmt.Errorf("%w: sealed for another receiveid", ErrForged)
	}
	text := bytes.TrimLeft(o.Message, "\ufeff \t\r\n")
	if len(text) == 0 || text[0] == '<' || text[0] == '{' {
		return fmt.Errorf("%w: a message instead of an echo", ErrForged)
	}
	return nil
}

// Receive takes a push. It answers nil only when everything the push says is
// durable, and cancel_auth is in effect; then the platform is told "success".
// ErrNotFound, ErrMalformedCallback, ErrForged; after any other error the
// platform has to deliver again.
func (c *Callbacks) Receive(ctx context.Context, id wecom.SuiteID, door Door, q wecom.Query, body []byte) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	ctx, alone := standby.Watch(ctx)
	outcome, err := c.receive(ctx, id, door, q, body)
	if err == nil {
		err = alone() // stored, but not where it outlives the primary
	}
	if err != nil {
		c.count(door, outcomeOf(err))
		return fmt.Errorf("suite %s: %s callback: %w", id, door, err)
	}
	c.count(door, outcome)
	return nil
}

func (c *Callbacks) receive(ctx context.Context, id wecom.SuiteID, door Door, q wecom.Query, body []byte) (string, error) {
	_, opened, err := c.open(ctx, id, func(keys wecom.Keys) (wecom.Opened, error) { return keys.OpenBody(q, body) })
	if err != nil {
		return "", err
	}
	p, err := readPush(id, door, opened)
	if err != nil {
		return "", err
	}
	again, err := c.Store.take(ctx, p)
	switch {
	case err != nil:
		return "", err
	case opened.KeyIndex > 0:
		return previousKey, nil // whatever it said: the console has not got the new pair yet
	case again:
		return "repeated", nil
	case p.act == actNothing:
		return "ignored", nil
	default:
		return "stored", nil
	}
}

// open opens an envelope with the keys in memory, and if that fails once more
// with what the database holds: the pair may have been changed a moment ago.
func (c *Callbacks) open(ctx context.Context, id wecom.SuiteID, try func(wecom.Keys) (wecom.Opened, error)) (doorKeys, wecom.Opened, error) {
	var d doorKeys
	var refused error
	for _, age := range []time.Duration{keysFor, keysRetry} {
		known, fresh := c.cache.get(id, c.now(), age)
		if fresh && refused != nil {
			break // just read: reading it again changes nothing
		}
		if !fresh {
			var err error
			if known, err = c.read(ctx, id); err != nil {
				return doorKeys{}, wecom.Opened{}, err
			}
		}
		opened, err := try(known.keys)
		if err == nil {
			return known, opened, nil
		}
		d, refused = known, err
	}
	return d, wecom.Opened{}, refusal(refused)
}

func (c *Callbacks) read(ctx context.Context, id wecom.SuiteID) (doorKeys, error) {
	at := c.now() // before the query: what changes meanwhile makes it older
	d, err := c.Store.readKeys(ctx, id)
	if err != nil {
		c.cache.forget(id)
		return doorKeys{}, err
	}
	d.readAt = at
	c.cache.put(id, d)
	return d, nil
}

// noCallback are the reasons that show before anything is authenticated.
var noCallback = []wecom.Reason{wecom.ReasonXML, wecom.ReasonTooLarge, wecom.ReasonQuery}

// refusal tells what is no callback from what claims to be one. Everything from
// the signature on looks the same from outside.
func refusal(err error) error {
	var e *wecom.EnvelopeError
	if errors.As(err, &e) && slices.Contains(noCallback, e.Reason) {
		return fmt.Errorf("%w: %w", ErrMalformedCallback, err)
	}
	return fmt.Errorf("%w: %w", ErrForged, err)
}

func (c *Callbacks) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Within > 0 {
		return context.WithTimeout(ctx, c.Within)
	}
	return context.WithTimeout(ctx, answerWithin)
}

func (c *Callbacks) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Callbacks) count(door Door, outcome string) {
	if c.Observe != nil {
		c.Observe(door, outcome)
	}
}

// outcomeOf is a short word for an error, fit for a metric's label.
func outcomeOf(err error) string {
	var e *wecom.EnvelopeError
	switch {
	case errors.As(err, &e):
		return "refused_" + string(e.Reason)
	case errors.Is(err, ErrForged):
		return "refused"
	case errors.Is(err, ErrNotFound):
		return "unknown_suite"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "error"
	}
}
