package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

type fault struct{ code int }

type notFound struct{}

func (*notFound) Error() string { return "not found" }

var table map[string]int

func Handler(in int) (any, error) {
	switch in {
	case 0:
		return nil, fmt.Errorf("order %d: %w", 7, errors.New("no such article"))
	case 1:
		return nil, &notFound{}
	case 2:
		panic(fmt.Errorf("wrapped: %w", errors.New("boom")))
	case 3:
		var err *brittle
		return nil, err
	case 4:
		panic(fault{in})
	case 5:
		runtime.Goexit()
	case 6:
		os.Exit(0)
	case 7:
		return in / (in - 7), nil
	case 8:
		var p *fault
		return p.code, nil
	case 9:
		table["a"] = 1
	case 10:
		return nil, errors.New("")
	}
	return nil, nil
}

type brittle struct{ text string }

func (b *brittle) Error() string { return b.text }
