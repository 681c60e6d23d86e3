// Package wecom is the platform, WeCom (企业微信), as this product sees it: what
// one calls there, and what it sends here. It owns no data and decides nothing.
//
// # Calling
//
// [Client] has one method for each call the product makes. It sends one request
// and reads one answer; retrying, budgets and breakers belong to the callers. A
// call either answers with what was asked for, whole and in range, or with an
// error that says what kind of trouble it is ([Classify]) and whether the request
// can have had an effect (ErrOutcomeUnknown), which matters for codes that work
// once. Credentials have types, so that a corp's token cannot be used as a
// suite's.
//
// The platform wants its tokens in the query string, and net/http puts the URL
// into its errors. So no error of net/http leaves this package: only words of our
// own, and the platform's errmsg after it was shortened and searched for every
// secret of the call.
//
// # Being called
//
// [Keys] open the envelope of a callback, and [ParseEvent] reads what was inside.
// Both are stricter than the libraries they could have used: the signature is
// checked before anything is decoded, padding and lengths before anything is
// sliced, and XML that the platform does not write is refused, not interpreted.
// Outside there is one error, [ErrEnvelope], whatever the reason.
//
// Facts of the platform are cited where they are used, by the address of their
// page: developer.work.weixin.qq.com/document/path/<number>.
package wecom
