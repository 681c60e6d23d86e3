package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"suitesign/signing/explain"
)

// PageExplainer answers questions of anybody; *pagereport.Desk does.
type PageExplainer interface {
	Explain(ctx context.Context, q explain.Question) (explain.Report, error)
}

// pageQuestion is what the debugger page asks, a part of what POST /v1/explain takes.
type pageQuestion struct {
	URL       string  `json:"url"`
	EntryURL  string  `json:"entry_url"`
	Kind      string  `json:"kind"`
	Timestamp anyWord `json:"timestamp"`
	NonceStr  string  `json:"nonce_str"`
	Signature string  `json:"signature"`
	SuiteID   string  `json:"suite_id"`
	CorpID    string  `json:"corp_id"`
	AgentID   anyWord `json:"agent_id"`
	Error     string  `json:"error"`
	Errcode   anyWord `json:"errcode"`
	UserAgent string  `json:"user_agent"`
}

// maxPageURL bounds what is explained for anybody: each character is hashed some
// ten thousand times.
const maxPageURL = 4096

// explainPage answers POST /api/jssdk/explain: what POST /v1/explain says, of one
// tenant alone and without what is not for everybody. No other site may read it.
func (s *Server) explainPage(c *gin.Context) error {
	c.Writer.Header()["Cache-Control"] = valueNoStore
	if err := s.limitPage(c); err != nil {
		return err
	}
	if wait, ok := s.questions.take(visitOf(c.Request.Context()).ip); !ok {
		return tooMany(wait)
	}
	var in pageQuestion
	if err := readPageBody(c, &in); err != nil {
		return err
	}
	q, err := in.read()
	if err != nil {
		return err
	}
	rep, err := s.PageExplainer.Explain(c.Request.Context(), q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, rep)
	return nil
}

func (in *pageQuestion) read() (explain.Question, error) {
	q := explain.Question{
		URL: in.URL, EntryURL: in.EntryURL, Kind: explain.Kind(in.Kind), Timestamp: string(in.Timestamp), NonceStr: in.NonceStr, Signature: in.Signature,
		SuiteID: in.SuiteID, CorpID: in.CorpID, AgentID: string(in.AgentID), Error: in.Error, Errcode: wholeNumber(string(in.Errcode)), UserAgent: in.UserAgent,
	}
	switch q.Kind {
	case "", explain.Config, explain.Agent:
	default:
		return q, invalid("/kind", "kind is config or agent.", "kind 必须是 config 或 agent。")
	}
	if q.URL == "" {
		return q, invalid("/url", "url is missing: the page's location.href.", "缺少 url，应为页面的 location.href。")
	}
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"url", q.URL, maxPageURL}, {"entry_url", q.EntryURL, maxPageURL}, {"timestamp", q.Timestamp, maxReportWord}, {"nonce_str", q.NonceStr, maxReportWord},
		{"signature", q.Signature, maxReportWord}, {"suite_id", q.SuiteID, maxReportID}, {"corp_id", q.CorpID, maxReportID}, {"agent_id", q.AgentID, maxReportID},
		{"error", q.Error, 1024}, {"user_agent", q.UserAgent, 1024},
	} {
		if len(f.value) > f.most {
			return q, invalid("/"+f.name, f.name+" is too long.", f.name+" 过长。")
		}
	}
	return q, nil
}
