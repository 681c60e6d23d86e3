package e2e

import (
	"encoding/json"
	"net/http"
	"sync"
	"testing"
)

// One request, sent by many clients to two replicas at once, is done once; the
// secret that it showed is shown to one of them.
func TestIdempotencyOverReplicas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{replicas: 2})
	send := func(replica int, body any) (answer, error) {
		return ask(http.MethodPost, w.replicas[replica].admin+"/v1/api-keys",
			map[string]string{"Authorization": "Bearer " + w.apiKey, "Idempotency-Key": "the same"}, body)
	}
	body := map[string]any{"name": "one"}
	answers := make([]answer, 12)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = send(i%2, body); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	shown := 0
	for _, a := range answers {
		var key struct {
			Key   string `json:"key"`
			Shown bool   `json:"secret_shown"`
		}
		switch _ = json.Unmarshal(a.body, &key); {
		case a.status == http.StatusCreated && key.Key != "":
			shown++
		case a.status == http.StatusCreated && key.Shown && a.header.Get("Idempotency-Replayed") == "true":
		case a.status == http.StatusConflict:
			wantProblem(t, "meanwhile", a, http.StatusConflict, "idempotency_in_progress")
		default:
			t.Errorf("one of many = %s", a)
		}
	}
	if shown != 1 {
		t.Errorf("the key was shown %d times, want once", shown)
	}
	var list struct{ Items []any }
	w.api(http.MethodGet, "/v1/api-keys", http.StatusOK, nil, &list)
	if len(list.Items) != 1 {
		t.Errorf("%d keys were made, want one", len(list.Items))
	}
	if a, err := send(1, map[string]any{"name": "another"}); err != nil || a.status != http.StatusUnprocessableEntity {
		t.Errorf("another request under the same name = %s, %v", a, err)
	}
}
