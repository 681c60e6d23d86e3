// Package wecomtest is WeCom in a box: the platform's side of everything that a
// service provider's software talks to, as one http.Handler. cmd/wecomsim is the
// same thing as a program.
//
// It knows suites, corps and their apps; hands out tokens and tickets with real
// lifetimes; pushes sealed callbacks and repeats them when they are not answered;
// lets a corp install a suite by either door; keeps the published limits; and
// checks a page's registration the way the client does. Told to, it misbehaves:
// see [Fault].
//
// Where the platform's behaviour is not known (does a repeated fetch answer with
// the same ticket?) the simulator has both, see [Rotation].
//
// It shares the callback envelope's pure crypto with package wecom, and the
// catalogue of JS APIs, which is data, with package jsapi; nothing else: what is
// tested against it is checked against a second reading of the documents, not
// against itself.
//
// For H5 pages it plays the client too: bridge/ is the script that makes a WeCom of
// an ordinary browser, and below /sim/api/jssdk/ it signs in suitesign's place for
// who has no suitesign.
//
// In a test:
//
//	sim := wecomtest.New(t)                               // on an httptest server, at sim.URL
//	suite := sim.AddSuite(wecomtest.Suite{})              // secret, token and key are made up
//	code := sim.Install(suite.SuiteID, "wwcorp", wecomtest.Site).AuthCode
//	ticket := sim.SuiteTicket(suite.SuiteID)              // as if it had been pushed
//	// … the code under test exchanges the auth_code at sim.URL …
//	sim.Fault(wecomtest.Fault{API: "get_jsapi_ticket", Kind: wecomtest.Status, Value: 503})
//	if n := sim.Calls().Count("get_jsapi_ticket", "wwcorp", suite.SuiteID); n != 1 { … }
//
// A suite with a CallbackURL gets its suite_ticket, create_auth and all the others
// pushed there. Time is real unless [WithClock] says otherwise.
package wecomtest
