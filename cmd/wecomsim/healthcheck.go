package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

type healthcheckCmd struct {
	URL     string        `help:"Of the simulator." default:"http://127.0.0.1:8090" env:"WECOMSIM_URL"`
	Timeout time.Duration `help:"How long to wait." default:"2s"`
}

// Run asks a simulator whether it is well.
func (c *healthcheckCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"/sim/healthz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096)) // only the status counts
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulator answers %s", res.Status)
	}
	return nil
}
