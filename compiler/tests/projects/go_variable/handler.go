package main

import "context"

var Handler = func(ctx context.Context, in int) (int, error) { return in + 1, ctx.Err() }
