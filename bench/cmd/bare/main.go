// Command bare answers every request with one constant JSON body: what net/http
// alone costs. It routes nothing, looks at nothing, logs nothing, and sets the one
// header that a JSON answer needs.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
)

var valueJSON = []string{"application/json"}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	body := flag.String("body", "{}", "what to answer")
	flag.Parse()
	if err := serve(*addr, []byte(*body)); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func serve(addr string, body []byte) error {
	ln, err := net.Listen("tcp", addr) //nolint:noctx // it listens for as long as the process lives
	if err != nil {
		return err
	}
	//nolint:gosec // no timeouts: each costs something, and only the generator on this machine connects
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = valueJSON
		_, _ = w.Write(body)
	}))
}
