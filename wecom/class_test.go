package wecom_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"suitesign/wecom"
)

// Every code of the platform's list that has a meaning here, on a call that sends
// a secret (developer.work.weixin.qq.com/document/path/90313).
var wantClasses = map[wecom.Class][]int{
	wecom.ClassStaleToken:      {40014, 42001},
	wecom.ClassStaleSuiteToken: {40082, 42009},
	wecom.ClassSecret:          {40001, 40080, 40083, 40091},
	wecom.ClassSuiteTicket:     {40085, 41023},
	wecom.ClassTicket:          {42012, 40093},
	wecom.ClassAuthCode:        {40077, 42007, 40078, 40058, 84025},
	wecom.ClassConfig:          {40013, 40056, 40086, 41002, 41021, 41022, 41024, 41025, 47001, 48003, 91040, 710000, 842002, 842003},
	wecom.ClassUnauthorized:    {40084, 48004, 2000002, 301007},
	wecom.ClassAppState:        {50003, 48006, 60031, 85009},
	wecom.ClassPermission:      {48001, 48002, 60011, 301002, 60021, 60030, 701001, 701008, 701999, 40133, 40134, 40135, 842006},
	wecom.ClassIP:              {60020},
	wecom.ClassRate:            {45009, 45033},
	wecom.ClassTransient:       {-1, 6000},
	wecom.ClassDomain:          {80001, 85004, 85005, 85008, 85111, 50001},
	wecom.ClassUnknown:         {1, 40048, 40092, 45011, 700999, 702000, 999999},
}

func TestClasses(t *testing.T) {
	t.Parallel()
	listed := map[int]bool{}
	names := map[string]bool{}
	for class, codes := range wantClasses {
		for _, code := range codes {
			listed[code] = true
			err := fmt.Errorf("refresh: %w", &wecom.Error{API: wecom.APIAppToken, Code: code})
			if got := wecom.Classify(err); got != class {
				t.Errorf("%d is %v, want %v", code, got, class)
			}
		}
		names[class.String()] = true
	}
	for code := range wecom.Codes() {
		if !listed[code] {
			t.Errorf("%d has a class and no test", code)
		}
	}
	if len(names) != len(wantClasses) || wecom.Class(-1).String() != "unknown" || wecom.Class(99).String() != "unknown" {
		t.Errorf("%d names for %d classes: %v", len(names), len(wantClasses), names)
	}
}

// 40001 says "wrong secret" only where a secret was sent. On a ticket call it is
// the token, and must not open a breaker for the tenant.
func Test40001DependsOnTheCall(t *testing.T) {
	t.Parallel()
	for api, want := range map[string]wecom.Class{
		wecom.APISuiteToken:      wecom.ClassSecret,
		wecom.APIProviderToken:   wecom.ClassSecret,
		wecom.APIAppToken:        wecom.ClassSecret,
		wecom.APIJSAPITicket:     wecom.ClassStaleToken,
		wecom.APIAgentTicket:     wecom.ClassStaleToken,
		wecom.APIAgentList:       wecom.ClassStaleToken,
		wecom.APIAgentGet:        wecom.ClassStaleToken,
		wecom.APICorpToken:       wecom.ClassStaleSuiteToken,
		wecom.APIPreAuthCode:     wecom.ClassStaleSuiteToken,
		wecom.APISetSessionInfo:  wecom.ClassStaleSuiteToken,
		wecom.APIPermanentCode:   wecom.ClassStaleSuiteToken,
		wecom.APIPermanentCodeV1: wecom.ClassStaleSuiteToken,
		wecom.APIAuthInfo:        wecom.ClassStaleSuiteToken,
		wecom.APIAuthInfoV1:      wecom.ClassStaleSuiteToken,
		wecom.APIAdminList:       wecom.ClassStaleSuiteToken,
		wecom.APIOpenCorpID:      wecom.ClassStaleSuiteToken,
	} {
		if got := (&wecom.Error{API: api, Code: 40001}).Class(); got != want {
			t.Errorf("40001 on %s is %v, want %v", api, got, want)
		}
	}
}

func TestClassifyOtherErrors(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]wecom.Class{
		nil:                     wecom.ClassUnknown,
		errors.New("x"):         wecom.ClassUnknown,
		context.Canceled:        wecom.ClassUnknown,
		wecom.ErrUnreachable:    wecom.ClassTransient,
		wecom.ErrMalformed:      wecom.ClassTransient,
		wecom.ErrRequest:        wecom.ClassConfig,
		wecom.ErrOutcomeUnknown: wecom.ClassUnknown,
	} {
		if got := wecom.Classify(err); got != want {
			t.Errorf("Classify(%v) = %v, want %v", err, got, want)
		}
	}
}
