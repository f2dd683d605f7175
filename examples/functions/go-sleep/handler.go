// Sleeps as long as it is told. With "stubborn" it ignores its deadline, and the platform ends it.
package main

import (
	"context"
	"fmt"
	"log"
	"time"
)

type Input struct {
	Seconds  float64 `json:"seconds"`
	Stubborn bool    `json:"stubborn"`
}

type Output struct {
	SleptSeconds float64 `json:"slept_seconds"`
}

func Handler(ctx context.Context, input Input) (Output, error) {
	nap := time.Duration(input.Seconds * float64(time.Second))
	log.Printf("sleeping for %s", nap)
	if input.Stubborn {
		time.Sleep(nap)
		return Output{input.Seconds}, nil
	}
	select {
	case <-time.After(nap):
		return Output{input.Seconds}, nil
	case <-ctx.Done():
		return Output{}, fmt.Errorf("woken by the deadline: %w", ctx.Err())
	}
}
