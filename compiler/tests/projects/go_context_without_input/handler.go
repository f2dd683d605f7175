package main

import "context"

func Handler(ctx context.Context) (string, error) { return "hi", nil }
