// Package reference makes the reference page of the admin API, at /docs, of the
// OpenAPI file: plain HTML with one style sheet, both in the binary. It needs no
// script and nothing from elsewhere, so that it works behind a firewall and under a
// Content-Security-Policy that allows next to nothing.
//
// Ready-made renderers were looked at: each wants inline styles, scripts of a megabyte
// and more, or a font from elsewhere.
package reference
