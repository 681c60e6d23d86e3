package main

import (
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPassedSockets(t *testing.T) {
	mine := strconv.Itoa(os.Getpid())
	for _, tt := range []struct {
		name    string
		environ map[string]string
		want    map[string]uintptr
		refused bool
	}{
		{"none", nil, nil, false},
		{"a pid alone", map[string]string{"LISTEN_PID": mine}, nil, false},
		{"one", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "1"}, map[string]uintptr{"public": 3}, false},
		{"two", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "2"}, map[string]uintptr{"public": 3, "admin": 4}, false},
		{"without a pid", map[string]string{"LISTEN_FDS": "1"}, map[string]uintptr{"public": 3}, false},
		{"somebody else's", map[string]string{"LISTEN_PID": "1", "LISTEN_FDS": "1"}, nil, false},
		{"by name", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "admin:public"}, map[string]uintptr{"admin": 3, "public": 4}, false},
		{"admin alone", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "admin"}, map[string]uintptr{"admin": 3}, false},
		{"named as their units", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "suitesign.socket:suitesign.socket"}, map[string]uintptr{"public": 3, "admin": 4}, false},
		{"three", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "3"}, nil, true},
		{"no number", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "many"}, nil, true},
		{"zero", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "0"}, nil, true},
		{"twice the same", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "public:public"}, nil, true},
		{"a name that is none", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "public:metrics"}, nil, true},
		{"fewer names than sockets", map[string]string{"LISTEN_PID": mine, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "public"}, nil, true},
	} {
		got, err := passedSockets(func(name string) string { return tt.environ[name] })
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != tt.refused {
			t.Errorf("%s: passedSockets = %v, refused %v: %s", tt.name, err, tt.refused, diff)
		}
	}
}

func TestListenTellsOfATakenAddress(t *testing.T) {
	c := defaultConfig()
	c.PublicAddr, c.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	first, err := listen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closeAll(first) }()
	c.AdminAddr = first[1].Addr().String()
	if _, err := listen(t.Context(), c); err == nil || !cmp.Equal([]bool{true, true}, []bool{contains(err, "SUITESIGN_ADMIN_ADDR"), contains(err, c.AdminAddr)}) {
		t.Errorf("listen on a taken address = %v, want the variable and the address", err)
	}
	c.HTTP, c.AdminAddr = false, "127.0.0.1:0"
	alone, err := listen(t.Context(), c)
	if err != nil || len(alone) != 1 || !alone[0].admin {
		t.Errorf("without HTTP: %v, %v; want the admin listener alone", alone, err)
	}
	_ = closeAll(alone)
}
