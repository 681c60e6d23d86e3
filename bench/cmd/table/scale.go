package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// scale runs the simulation of the schedule and the budgets: a test of the product,
// told how many corps there are.
func (h *house) scale(ctx context.Context, t *table) error {
	corps := h.sized().scale
	say("simulating %d corps", corps)
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^(TestScaleInVirtualTime|TestAnAddressBeyondItsRate)$", "./ticket", "-scale.corps", fmt.Sprint(corps)) //nolint:gosec // go
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the simulation: %w\n%s", err, out)
	}
	told := 0
	for line := range strings.Lines(string(out)) {
		// scale: what | measured | target | met
		_, text, ok := strings.Cut(line, "scale: ")
		if !ok {
			continue
		}
		cells := strings.Split(text, "|")
		if len(cells) != 4 {
			return fmt.Errorf("the simulation told %q", text)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[2] == "" {
			t.told(cells[0], cells[1])
		} else {
			t.judged(cells[0], cells[1], cells[2], cells[3] == "met")
		}
		told++
	}
	if told == 0 {
		return fmt.Errorf("the simulation told nothing:\n%s", out)
	}
	return nil
}
