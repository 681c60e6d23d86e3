package wecomtest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"suitesign/wecom/wecomtest"
)

// A suite_ticket becomes a suite_access_token.
func Example() {
	sim, err := wecomtest.NewServer(wecomtest.Config{})
	if err != nil {
		panic(err)
	}
	defer sim.Close()
	platform := httptest.NewServer(sim)
	defer platform.Close()

	suite, err := sim.PutSuite(wecomtest.Suite{SuiteID: "ww0000000000000001"})
	if err != nil {
		panic(err)
	}
	ticket, err := sim.SuiteTicket(suite.SuiteID)
	if err != nil {
		panic(err)
	}
	body := fmt.Sprintf(`{"suite_id":%q,"suite_secret":%q,"suite_ticket":%q}`, suite.SuiteID, suite.Secret, ticket)
	res, err := http.Post(platform.URL+"/cgi-bin/service/get_suite_token", "application/json", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	var answer struct {
		Token     string `json:"suite_access_token"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		panic(err)
	}
	fmt.Println(answer.Token != "", answer.ExpiresIn, sim.Calls("get_suite_token", "", "").Total)
	// Output: true 7200 1
}
