// Package domaincheck looks at a trusted domain from outside: does its name resolve
// to public addresses, is its certificate for it and in date, is its ownership
// file there as it is stored here, and does WeCom trust the same domain.
//
// The name was typed by an admin and may lead anywhere, so every connection goes
// through a [netguard.Guard], which refuses addresses that are not public after
// they were resolved; nothing is redirected, each part has three seconds, and no
// more than 4 KiB is read. What is found is a list of codes; it informs, and
// changes nothing.
package domaincheck
