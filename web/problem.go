package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// problemType is the Content-Type of RFC 9457.
const problemType = "application/problem+json"

// problemURN is what a problem's type starts with; its code follows. docs/api.md lists them.
const problemURN = "urn:suitesign:problem:"

// Problem is an error as the caller sees it (RFC 9457).
type Problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Code      string        `json:"code"`
	Detail    string        `json:"detail"`
	RequestID string        `json:"request_id"`
	Errors    []FieldError  `json:"errors,omitempty"`
	WeCom     *WeComProblem `json:"wecom,omitempty"`
}

// FieldError names one member of the request that is wrong. Pointer is a JSON
// pointer into the body ("/suite_id") or the name of a parameter ("agent_id").
type FieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// WeComProblem tells what the platform said when a call to it failed.
type WeComProblem struct {
	ErrCode int    `json:"errcode"`
	Hint    string `json:"hint,omitempty"`
}

// writeProblem writes p in the language the caller prefers. Whoever calls has
// made sure that nothing was written yet.
func writeProblem(w http.ResponseWriter, p Problem, language string, retryAfter time.Duration) {
	body, _ := json.Marshal(p) // strings and numbers always marshal
	h := w.Header()
	h.Set("Content-Type", problemType)
	h.Set("Content-Language", language)
	h.Add("Vary", "Accept-Language")
	h.Set("Cache-Control", "no-store")
	setRetryAfter(h, retryAfter)
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}

// setRetryAfter names whole seconds, rounded up.
func setRetryAfter(h http.Header, wait time.Duration) {
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
}

// Languages that a problem's detail is written in.
const (
	english = "en"
	chinese = "zh"
)

// languageOf picks Chinese or English by Accept-Language; English where the
// caller has no preference.
func languageOf(r *http.Request) string {
	best, quality := english, -1.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Language"), ","), ",") {
		tag, params, _ := strings.Cut(part, ";")
		primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		if primary != english && primary != chinese && primary != "*" {
			continue
		}
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q="); ok {
			parsed, err := strconv.ParseFloat(v, 64)
			if err != nil || parsed < 0 || parsed > 1 {
				continue
			}
			q = parsed
		}
		if q == 0 || q <= quality {
			continue
		}
		quality = q
		best = english
		if primary == chinese {
			best = chinese
		}
	}
	return best
}
