package main

import (
	"sort"
	"strconv"
)

func Handler(in []int) ([]string, error) {
	sort.Ints(in)
	out := []string{}
	for _, n := range in {
		out = append(out, strconv.Itoa(n))
	}
	return out, nil
}
