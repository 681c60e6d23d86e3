// Package e2e drives the simulator's WeixinJSBridge in a real browser, under the
// official JS-SDK: what the bridge promises is that a page cannot tell.
package e2e
