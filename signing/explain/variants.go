package explain

import (
	"net/url"
	"slices"
	"strings"

	"suitesign/tenant"
)

// A variant is one spelling of something that was signed; code is the mistake
// that makes it, "" where it is right.
type variant struct {
	code Code
	text string
}

// variants collects spellings, the likeliest mistake first; one that several
// mistakes make keeps the first.
type variants struct{ list []variant }

func (v *variants) add(code Code, texts ...string) {
	for _, text := range texts {
		if !slices.ContainsFunc(v.list, func(x variant) bool { return x.text == text }) {
			v.list = append(v.list, variant{code, text})
		}
	}
}

// maxParameters bounds how many of a URL's parameters are tried one by one.
const maxParameters = 32

// urlVariants are the URLs that a page is signed as, the right one first. Which
// one is right is the caller's knowledge: current, or in WeChat the entry's.
func urlVariants(right, current, entry *page, trusts []tenant.TrustedDomain) []variant {
	var v variants
	v.add("", right.url)
	if entry != nil && right == entry && current.err == nil {
		v.add(WeChatEntryURL, current.url)
	}
	if entry != nil && right == current {
		v.add(EntryURL, entry.url)
	}
	for _, p := range []*page{right, current} {
		if p.fragment != "" {
			v.add(FragmentKept, p.url+p.fragment)
		}
		for _, f := range p.faults {
			v.add(f.code, f.found)
		}
		if len(p.faults) > 0 { // all of them at once, as it was told
			v.add(p.faults[0].code, strings.TrimSuffix(p.said, p.fragment), p.said)
		}
	}
	path, query := right.split()
	origin := right.parsed.Origin
	v.add(FragmentKept, right.url+"#", right.url+"#/")
	v.add(HTMLEscaped, strings.ReplaceAll(right.url, "&", "&amp;"))
	addOrigins(&v, right)
	addSlashes(&v, right)
	v.add(URLRewritten, escapes(right.url, strings.ToLower), escapes(right.url, strings.ToUpper))
	v.add(LetterCase, strings.ToLower(right.url))
	addDecoded(&v, right.url)
	encoded := encodeURIComponent(right.url)
	v.add(URLEncodedTwice, encoded, escapes(encoded, strings.ToLower), url.QueryEscape(right.url), strings.ReplaceAll(right.url, "%", "%25"))
	addCut(&v, right)
	for p := path; p != ""; { // the pages above, and the site's first
		p = p[:strings.LastIndexByte(p, '/')]
		v.add(EntryURL, origin+p+"/", origin+p, origin+p+"/"+query)
	}
	addRewritten(&v, right)
	for _, t := range trusts {
		v.add(HostDiffers, right.parsed.Scheme+"://"+t.String()+path+query)
	}
	return v.list
}

// addOrigins tries the other scheme and other ports.
func addOrigins(v *variants, p *page) {
	tail, other := p.tail(), "http"
	if p.parsed.Scheme == "http" {
		other = "https"
	}
	v.add(SchemeDiffers, other+"://"+p.host()+tail, other+"://"+p.parsed.Host+tail)
	v.add(PortDiffers, p.parsed.Scheme+"://"+p.parsed.Host+tail, p.parsed.Scheme+"://"+p.parsed.Host+":"+defaultPort(p.parsed.Scheme)+tail)
}

// addSlashes tries a slash more or less at the end of the path.
func addSlashes(v *variants, p *page) {
	path, query := p.split()
	if bare, ok := strings.CutSuffix(path, "/"); ok {
		v.add(TrailingSlash, p.parsed.Origin+bare+query)
	} else {
		v.add(TrailingSlash, p.parsed.Origin+path+"/"+query)
	}
	if query != "" {
		v.add(TrailingSlash, p.url+"/")
	}
}

// addDecoded tries the URL decoded once and once more.
func addDecoded(v *variants, text string) {
	for _, decode := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
		once, err := decode(text)
		if err != nil {
			continue
		}
		v.add(URLDecoded, once)
		if twice, err := decode(once); err == nil {
			v.add(URLDecoded, twice)
		}
	}
}

// appended are parameters that clients and OAuth add to a page's URL after it was opened.
var appended = []string{"code", "state", "appid", "from", "isappinstalled", "nsukey", "scene", "clicktime", "enterid", "wxwork_userid", "weworkcfmcode"}

// addCut tries the URL without its query or without a part of it.
func addCut(v *variants, p *page) {
	path, query := p.split()
	if query == "" {
		return
	}
	base := p.parsed.Origin + path
	pairs := strings.Split(query[1:], "&")
	added := func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(appended, name)
	}
	own := slices.DeleteFunc(slices.Clone(pairs), added)
	if 0 < len(own) && len(own) < len(pairs) {
		v.add(QueryAppended, base+"?"+strings.Join(own, "&"))
	} else if len(own) == 0 {
		v.add(QueryAppended, base)
	}
	if len(pairs) > 1 {
		v.add(URLNotEncoded, base+"?"+pairs[0])
	}
	v.add(QueryDropped, base, base+"?")
	for n := len(pairs) - 1; n > 0 && n > len(pairs)-maxParameters; n-- {
		v.add(QueryAppended, base+"?"+strings.Join(pairs[:n], "&"))
	}
	for i := range min(len(pairs), maxParameters) {
		v.add(QueryAppended, base+"?"+strings.Join(slices.Delete(slices.Clone(pairs), i, i+1), "&"))
	}
}

// addRewritten tries what URL libraries make of a URL that is read and written again.
func addRewritten(v *variants, p *page) {
	path, query := p.split()
	base := p.parsed.Origin + path
	if query != "" {
		pairs := strings.Split(query[1:], "&")
		slices.Sort(pairs)
		v.add(URLRewritten, base+"?"+strings.Join(pairs, "&"))
		if values, err := url.ParseQuery(query[1:]); err == nil {
			encoded := values.Encode()
			v.add(URLRewritten, base+"?"+encoded, base+"?"+strings.ReplaceAll(encoded, "+", "%20"))
		}
		v.add(URLRewritten, base+strings.ReplaceAll(query, "+", "%20"), base+strings.ReplaceAll(query, "%20", "+"))
	}
	if u, err := url.Parse(p.url); err == nil {
		v.add(URLRewritten, u.String(), u.JoinPath().String())
	}
}

// escapes writes the hex digits of percent-encodings in another case.
func escapes(s string, to func(string) string) string {
	parts := strings.Split(s, "%")
	for i := 1; i < len(parts); i++ {
		if len(parts[i]) >= 2 {
			parts[i] = to(parts[i][:2]) + parts[i][2:]
		}
	}
	return strings.Join(parts, "%")
}

// encodeURIComponent is the browser's.
func encodeURIComponent(s string) string {
	return strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(url.QueryEscape(s))
}
