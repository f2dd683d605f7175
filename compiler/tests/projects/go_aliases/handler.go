package main

import ctxt "context"

type In = map[string]any
type Out map[string]any

func Handler(
	ctx ctxt.Context, // the deadline
	in In,
) (out Out, err error) {
	out = Out(in)
	return
}
