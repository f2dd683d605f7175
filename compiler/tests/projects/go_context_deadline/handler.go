package main

import (
	"context"
	"time"
)

func Handler(ctx context.Context, input map[string]any) (string, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return "none", nil
	}
	return deadline.UTC().Format(time.RFC3339Nano), nil
}
