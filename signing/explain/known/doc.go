// Package known gathers what the service knows of a page that could not register:
// whom it means, by the rule of the signing endpoints themselves, what that
// tenant trusts and is signed with, and whom else it could be confused with. It
// owns no table; it asks the rooms that do, and package explain does the rest.
package known
