package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"suitesign/signing"
	"suitesign/signing/explain"
	"suitesign/signing/pagereport"
	"suitesign/tenant"
	"suitesign/wecom/jsapi"
)

// PageReports takes what pages report; *pagereport.Desk does.
type PageReports interface {
	Take(ctx context.Context, r pagereport.Report) (pagereport.Answer, error)
}

// maxReport bounds a report: a URL has at most 8,192 bytes, the rest is short.
const maxReport = 12 << 10

const reportMethods = "POST, OPTIONS"

// pageReport is a report as a page sends it. It has nothing of whoever looks at
// the page, but what the URL may say; that is used and not kept.
type pageReport struct {
	Kind      string  `json:"kind"`
	URL       string  `json:"url"`
	SuiteID   string  `json:"suite_id"`
	CorpID    string  `json:"corp_id"`
	AgentID   anyWord `json:"agent_id"`
	Timestamp anyWord `json:"timestamp"`
	NonceStr  string  `json:"nonceStr"`
	Signature string  `json:"signature"`
	ErrMsg    string  `json:"errMsg"`
	ErrCode   anyWord `json:"errCode"`
	Client    string  `json:"client"`
}

// anyWord is a text or a whole number: clients and SDKs do not agree.
type anyWord string

// UnmarshalJSON reads either; null is none.
func (w *anyWord) UnmarshalJSON(b []byte) error {
	var text string
	if len(b) > 0 && b[0] == '"' {
		err := json.Unmarshal(b, &text)
		*w = anyWord(text)
		return err
	}
	var number *json.Number
	if err := json.Unmarshal(b, &number); err != nil || number == nil {
		return err
	}
	*w = anyWord(number.String())
	return nil
}

// takeReport answers POST /api/jssdk/report: a page tells that its registration
// was refused. Whose page it is decides, as for signing, the Origin.
func (s *Server) takeReport(c *gin.Context) error {
	h := c.Writer.Header()
	h["Cache-Control"], h["Vary"] = valueNoStore, valueVaryOrigin
	ip := visitOf(c.Request.Context()).ip
	if err := s.limitPage(c); err != nil {
		return err
	}
	if wait, ok := s.questions.take(ip); !ok {
		return tooMany(wait)
	}
	var in pageReport
	if err := readPageBody(c, &in); err != nil {
		return err
	}
	if origin := originOf(c.Request); origin != nil && !allowOrigin(h, c.Request, in.URL) {
		if _, err := tenant.PageOf(in.URL); err != nil {
			return err
		}
		return signing.ErrOriginMismatch
	}
	r, err := in.read(c.Request.UserAgent())
	if err != nil {
		return err
	}
	a, err := s.PageReports.Take(c.Request.Context(), r)
	if err != nil {
		return err
	}
	c.JSON(http.StatusAccepted, showAnswer(a))
	return nil
}

// preflightReport answers OPTIONS. It cannot know the page, so any page that can be
// signed may ask; the POST holds the Origin against the page's.
func (s *Server) preflightReport(c *gin.Context) error {
	h := c.Writer.Header()
	h["Cache-Control"], h["Vary"] = valueNoStore, valueVaryOrigin
	if err := s.limitPage(c); err != nil {
		return err
	}
	if origin := originOf(c.Request); origin != nil && !allowOrigin(h, c.Request, *origin+"/") {
		return signing.ErrOriginMismatch
	}
	h.Set("Allow", reportMethods)
	h.Set("Access-Control-Allow-Methods", reportMethods)
	h.Set("Access-Control-Allow-Headers", "Accept-Language, Content-Type")
	h.Set("Access-Control-Max-Age", "600")
	c.Status(http.StatusNoContent)
	return nil
}

// readPageBody reads JSON that a page sent. As text/plain it needs no preflight,
// so that is taken as well.
func readPageBody(c *gin.Context, into any) error {
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if err != nil || media != "application/json" && media != "text/plain" || c.GetHeader("Content-Encoding") != "" {
		return errMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxReport))
	if err != nil {
		return err
	}
	if err := checkJSON(body); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return bodyFault(err)
	}
	return nil
}

// bodyFault names the field that cannot be read, and not what stands in it.
func bodyFault(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), `json: unknown field "`); ok {
		name = printable(strings.TrimSuffix(name, `"`))
		return invalid("/"+name, "The field "+name+" is not known here.", "未知字段 "+name+"。")
	}
	return invalid("", "The body is one JSON object with the documented fields, each of its type.", "请求体须为一个 JSON 对象，字段及类型见接口文档。")
}

// Bounds of what a report may say, in bytes. A triple that is longer can be made
// by nobody.
const (
	maxReportID   = 128
	maxReportWord = 256
)

func (in *pageReport) read(userAgent string) (pagereport.Report, error) {
	r := pagereport.Report{
		URL: in.URL, SuiteID: in.SuiteID, CorpID: in.CorpID, AgentID: string(in.AgentID),
		Timestamp: string(in.Timestamp), NonceStr: in.NonceStr, Signature: in.Signature,
		Client: pagereport.Client(in.Client),
	}
	switch in.Kind {
	case "config":
		r.Kind = explain.Config
	case "agent_config":
		r.Kind = explain.Agent
	default:
		return r, invalid("/kind", "kind is config or agent_config.", "kind 必须是 config 或 agent_config。")
	}
	switch r.Client {
	case "":
		r.Client = clientOf(userAgent)
	case pagereport.WeCom, pagereport.WeChat, pagereport.Other:
	default:
		return r, invalid("/client", "client is wecom, wechat or other.", "client 必须是 wecom、wechat 或 other。")
	}
	for _, f := range []struct {
		name, value string
		needed      bool
		most        int
	}{
		{"suite_id", r.SuiteID, false, maxReportID}, {"corp_id", r.CorpID, false, maxReportID}, {"agent_id", r.AgentID, false, maxReportID},
		{"timestamp", r.Timestamp, true, maxReportWord}, {"nonceStr", r.NonceStr, true, maxReportWord}, {"signature", r.Signature, true, maxReportWord},
	} {
		switch {
		case f.needed && f.value == "":
			return r, invalid("/"+f.name, f.name+" is missing: report the triple that the page registered with.", "缺少 "+f.name+"，请上报注册时使用的签名三元组。")
		case len(f.value) > f.most:
			return r, invalid("/"+f.name, f.name+" is too long.", f.name+" 过长。")
		}
	}
	r.Error = in.ErrMsg
	if len(r.Error) > maxReportWord {
		r.Error = strings.ToValidUTF8(r.Error[:maxReportWord], "")
	}
	r.Errcode = wholeNumber(string(in.ErrCode))
	return r, nil
}

// clientOf is the client by its user agent.
func clientOf(userAgent string) pagereport.Client {
	switch jsapi.ClientOf(userAgent).App {
	case jsapi.WeCom:
		return pagereport.WeCom
	case jsapi.WeChat:
		return pagereport.WeChat
	default:
		return pagereport.Other
	}
}

// wholeNumber reads an errcode; 0 is none.
func wholeNumber(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' || i > 8 {
			return 0
		}
		n = n*10 + int(text[i]-'0')
	}
	return n
}

// reportAnswer is what the page gets: what it was, what is done about it, and
// when to register again.
type reportAnswer struct {
	Cause      string            `json:"cause"`
	Action     string            `json:"action"`
	RetryAfter *int              `json:"retry_after"`
	Hint       map[string]string `json:"hint"`
}

func showAnswer(a pagereport.Answer) reportAnswer {
	out := reportAnswer{Cause: string(a.Cause), Action: string(a.Action), Hint: map[string]string{"en": a.En, "zh": a.Zh}}
	if a.RetryAfter > 0 {
		secs := int((a.RetryAfter + time.Second - 1) / time.Second)
		out.RetryAfter = &secs
	}
	return out
}
