package main

import "math"

func Handler(kind string) (any, error) {
	switch kind {
	case "nan":
		return math.NaN(), nil
	case "nul":
		return "a\x00b", nil
	case "deep":
		var nested any
		for i := 0; i < 200; i++ {
			nested = []any{nested}
		}
		return nested, nil
	default:
		return make(chan int), nil
	}
}
