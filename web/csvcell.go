package web

import "strings"

// csvCell is a text as a cell of a CSV file. A spreadsheet takes what begins like
// this for a formula, also behind spaces, and would run it for whoever opens the
// file (owasp.org/www-community/attacks/CSV_Injection); an apostrophe before it
// makes it text.
func csvCell(text string) string {
	first := strings.TrimLeft(text, " \u00a0\u3000")
	if strings.HasPrefix(text, "\t") || strings.HasPrefix(text, "\r") || strings.HasPrefix(text, "\n") ||
		first != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(first)[0]) {
		return "'" + text
	}
	return text
}
