// Package convert makes a file that can be imported of what other systems keep
// of their corps: of the answers of get_permanent_code and get_auth_info as an
// application stored them, whichever way its library spells their fields, or of a
// table of its own. It knows no database and calls nobody.
package convert
