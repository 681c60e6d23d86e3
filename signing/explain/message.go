package explain

import (
	"crypto/sha1" //nolint:gosec // the JS-SDK signature is SHA-1 by definition
	"encoding/hex"
	"strings"
)

// A field of the string to sign, as it is spelled there.
type field struct{ name, value string }

// A form is one way to put the string to sign together; code is the mistake that
// makes it, "" where it is right.
type form struct {
	code  Code
	order [4]int    // of ticket, nonce, timestamp, url
	names [4]string // how the fields are called
	// damaged: an HTML converter took the & and the first letters of &timestamp for
	// the entity of a multiplication sign.
	damaged bool
	end     string
}

// What the fields are called.
var (
	rightNames = [4]string{"jsapi_ticket", "noncestr", "timestamp", "url"}
	wrongNames = [][4]string{
		{"jsapi_ticket", "nonceStr", "timestamp", "url"},
		{"jsapi_ticket", "nonce_str", "timestamp", "url"},
		{"jsapi_ticket", "nonceStr", "timeStamp", "url"},
		{"jsapi_ticket", "noncestr", "timeStamp", "url"},
		{"jsapiTicket", "nonceStr", "timestamp", "url"},
		{"ticket", "noncestr", "timestamp", "url"},
		{"ticket", "nonceStr", "timestamp", "url"},
		{"agent_config", "noncestr", "timestamp", "url"},
	}
	rightOrder = [4]int{0, 1, 2, 3}
)

// forms are the ways that the string is put together, the right one first.
var forms = func() []form {
	list := []form{{names: rightNames, order: rightOrder}, {code: DamagedTimestamp, names: rightNames, order: rightOrder, damaged: true}}
	for _, names := range wrongNames {
		list = append(list, form{code: ParameterSpelling, names: names, order: rightOrder})
	}
	for _, order := range permutations() {
		if order != rightOrder {
			list = append(list, form{code: ParameterOrder, names: rightNames, order: order})
		}
	}
	for _, end := range []string{"\n", "\r\n", " "} {
		list = append(list, form{code: LineBreak, names: rightNames, order: rightOrder, end: end})
	}
	return list
}()

func permutations() (list [][4]int) {
	for i := range 4 * 4 * 4 * 4 {
		p := [4]int{i / 64, i / 16 % 4, i / 4 % 4, i % 4}
		if 1<<p[0]|1<<p[1]|1<<p[2]|1<<p[3] == 15 {
			list = append(list, p)
		}
	}
	return list
}

// write puts the string together. ticket is a mask where the string is to be shown.
func (f form) write(ticket, nonce, timestamp, url string) string {
	values := [4]string{ticket, nonce, timestamp, url}
	var b strings.Builder
	for i, at := range f.order {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.names[at] + "=" + values[at])
	}
	s := b.String() + f.end
	if f.damaged {
		s = strings.Replace(s, "&timestamp=", "\u00d7tamp=", 1)
	}
	return s
}

// digest is SHA-1 in hex.
func digest(s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // by definition, see above
	return hex.EncodeToString(sum[:])
}
