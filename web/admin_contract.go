package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/gin-gonic/gin"

	"suitesign/web/api"
)

// contract is openapi.yaml, by method and gin's spelling of the path.
type contract map[string]*routers.Route

// adminContract reads the file once. That it can be read is held by web/api's tests.
var adminContract = sync.OnceValue(func() contract {
	doc, err := api.Load()
	if err != nil {
		panic(err)
	}
	routes := make(contract)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			routes[method+" "+ginPath(path)] = &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}
		}
	}
	return routes
})

var braced = regexp.MustCompile(`\{([^}]+)\}`)

// ginPath writes {name} as :name.
func ginPath(path string) string { return braced.ReplaceAllString(path, ":$1") }

// validate holds a request against the contract before its handler sees it.
func (s *Server) validate(c *gin.Context) {
	route := adminContract()[c.Request.Method+" "+c.FullPath()]
	if route == nil { // not the admin API's, or no route at all
		return
	}
	if err := checkRequest(c, route); err != nil {
		s.fail(c, err)
	}
}

func checkRequest(c *gin.Context, route *routers.Route) error {
	language := languageOf(c.Request)
	query, err := checkQuery(c.Request.URL.RawQuery, route, language)
	if err != nil {
		return err
	}
	stream, r := streamed(route), c.Request
	check := checkBody
	if stream {
		check = checkMedia
		without := *r // kin-openapi reads the whole of a body even to leave it alone
		without.Body = http.NoBody
		r = &without
	}
	if err := check(c.Request, route); err != nil {
		return err
	}
	params := make(map[string]string, len(c.Params))
	for _, p := range c.Params {
		params[p.Key] = p.Value
	}
	err = openapi3filter.ValidateRequest(c.Request.Context(), &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, QueryParams: query, Route: route,
		Options: &openapi3filter.Options{
			MultiError:          true,
			ExcludeRequestBody:  stream,
			SkipSettingDefaults: true, // a PATCH must not set what it does not name
			AuthenticationFunc:  openapi3filter.NoopAuthenticationFunc,
		},
	})
	if err != nil {
		return contractFault(err, language)
	}
	return unbind(c.Request, route, query)
}

// checkQuery refuses what a lenient reader would drop: parameters that the
// contract does not know, repeated ones, broken escapes.
func checkQuery(raw string, route *routers.Route, language string) (url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, invalid("", "The query has a broken percent-encoding or a semicolon.", "查询字符串的百分号编码有误，或含有分号。")
	}
	var fields []FieldError
	for name, values := range query {
		var detail string
		switch {
		case route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil:
			detail = say(language, "is no parameter of this call", "不是该接口的参数")
		case len(values) > 1:
			detail = say(language, "occurs more than once", "重复出现")
		case !utf8.ValidString(values[0]):
			detail = say(language, "is not valid UTF-8", "不是有效的 UTF-8")
		default:
			continue
		}
		if !looksLikeName(name) {
			name = "?"
		}
		fields = append(fields, FieldError{Pointer: name, Detail: detail})
	}
	if fields != nil {
		return nil, fieldFault(fields)
	}
	return query, nil
}

// checkBody reads the body, refuses what is not strict JSON and leaves it to be
// read again. Afterwards a merge patch is called JSON: both mean the same here.
func checkBody(r *http.Request, route *routers.Route) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) || r.Context().Err() != nil {
			return fmt.Errorf("read body: %w", err)
		}
		return invalid("", "The body ended before it was whole.", "请求体不完整。")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	known := route.Operation.RequestBody
	switch {
	case known == nil && len(bytes.Trim(body, " \t\r\n{}")) > 0:
		return invalid("", "This call takes no body.", "该接口不接受请求体。")
	case known == nil || len(body) == 0:
		return nil
	}
	if err := checkMedia(r, route); err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return checkJSON(body)
}

// streamed tells an operation that takes a file, which its handler reads as it comes.
func streamed(route *routers.Route) bool {
	body := route.Operation.RequestBody
	return body != nil && body.Value.Content["application/json"] == nil
}

// checkMedia refuses a body of a type that the operation does not take.
func checkMedia(r *http.Request, route *routers.Route) error {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || route.Operation.RequestBody.Value.Content[media] == nil || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		len(r.Header.Values("Content-Type")) != 1 || r.Header.Get("Content-Encoding") != "" {
		return errMediaType
	}
	return nil
}

// fieldFault is a 400 that lists what is wrong.
func fieldFault(fields []FieldError) error {
	return &fault{err: errInvalidRequest, fields: fields,
		en: "The request is not as documented; errors names each fault.",
		zh: "请求不符合接口文档，详见 errors。"}
}

// say picks one of two languages.
func say(language, en, zh string) string {
	if language == chinese {
		return zh
	}
	return en
}
