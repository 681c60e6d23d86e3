// Package jsapi is the catalogue of the client's JS APIs: what a page may call
// once it is registered, with which identity, in which client, from which entry.
//
// apis.json is the catalogue, and the only place where it is written down; it is
// served as it stands ([JSON]) and read here ([Find]). It holds what
// @wecom/jssdk exports and says of its own APIs, by the SDK's notes and the
// platform's pages, and in its corrections what a widely copied guide gets
// wrong. The tests hold it against the SDK's file itself: no API is missing,
// none is invented, and every wire name is the SDK's.
//
// Fields of an API:
//
//   - name is what the SDK and jsApiList call it, wire what the client does.
//   - identity tells for each kind of suite which registration it asks for:
//     "none", "corp" (getConfigSignature) or "agent" (getAgentConfigSignature).
//     Apps of a kind that is absent may not call it at all.
//   - params are an example of what to call it with; an absent one takes none. A text
//     that is empty there is what another API answered, as the localId of a picture.
//   - clients lists where it runs; an absent list, platforms or since means that
//     the notes name none, not that every client has it.
//   - entries lists the entries (getContext) that a page must have been opened
//     from; an absent list means any.
package jsapi
