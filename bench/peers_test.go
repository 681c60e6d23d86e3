package bench_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"
	"github.com/silenceper/wechat/v2/work"
	"github.com/xen0n/go-workwx"
)

// What other libraries for Go do of the work, for ten corps, each with a warm cache:
// no call is made. Neither knows whose page it is, or whether it may be signed.

// blank makes what a constructor is configured with, whatever package that is of.
func blank[C, T any](func(*C) T) *C { return new(C) }

// silencepers are signers of wechat/v2, by corp: they answer with the signature of a page.
func silencepers(tb testing.TB) []func(page string) (string, error) {
	tb.Helper()
	var out []func(string) (string, error)
	for i := range tenants {
		warm := cache.NewMemory()
		corp, agent := string(corpOf(i)), "1000002"
		for key, value := range map[string]string{
			fmt.Sprintf("%s_access_token_%s_%s", credential.CacheKeyWorkPrefix, corp, agent): "token",
			fmt.Sprintf("%s_corp_jsapi_ticket_%s", credential.CacheKeyWorkPrefix, corp):      ticketOf(i),
		} {
			if err := warm.Set(key, value, time.Hour); err != nil {
				tb.Fatal(err)
			}
		}
		c := blank(work.NewWork)
		c.CorpID, c.AgentID, c.CorpSecret, c.Cache = corp, agent, "none", warm
		sdk := work.NewWork(c).JsSdk()
		out = append(out, func(page string) (string, error) {
			signed, err := sdk.GetConfig(page)
			if err != nil {
				return "", err
			}
			return signed.Signature, nil
		})
	}
	return out
}

func BenchmarkSilenceper(b *testing.B) {
	signers := silencepers(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if signature, err := signers[i](pageOf(0)); err != nil || len(signature) != 40 {
			b.Fatal(signature, err)
		}
		if i++; i == tenants {
			i = 0
		}
	}
}

// workwxs are apps of go-workwx that hold their ticket.
func workwxs(tb testing.TB) []*workwx.WorkwxApp {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","access_token":"token","ticket":%q,"expires_in":7200}`, ticketOf(0))
	}))
	tb.Cleanup(server.Close)
	var out []*workwx.WorkwxApp
	for i := range tenants {
		app := workwx.New(string(corpOf(i)), workwx.WithQYAPIHost(server.URL)).WithApp("none", 1000002)
		if _, err := app.GetJSAPITicket(); err != nil { // the calls of the benchmark make none
			tb.Fatal(err)
		}
		out = append(out, app)
	}
	server.Close()
	return out
}

// BenchmarkWorkwx takes the ticket from go-workwx and signs with it as barely as can be.
func BenchmarkWorkwx(b *testing.B) {
	apps := workwxs(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ticket, err := apps[i].GetJSAPITicket()
		if err != nil {
			b.Fatal(err)
		}
		if _, _, signature := bareSign(ticket, pageOf(0)); len(signature) != 40 {
			b.Fatal(signature)
		}
		if i++; i == tenants {
			i = 0
		}
	}
}
