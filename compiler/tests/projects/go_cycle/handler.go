package main

import (
	"errors"
	"math"
)

type node struct{ Next *node }

type stubborn struct{}

func (stubborn) MarshalJSON() ([]byte, error) { return nil, errors.New("MarshalJSON says no") }

func Handler(in int) (any, error) {
	switch in {
	case 1:
		n := &node{}
		n.Next = n
		return n, nil
	case 2:
		return math.NaN(), nil
	}
	return stubborn{}, nil
}
