package main

import "fmt"

type embedded struct {
	Inner any `json:"inner"`
}

type Input struct {
	embedded
	Anything any            `json:"anything"`
	Nested   map[string]any `json:"nested"`
	List     []any          `json:"list"`
	Pointer  *any           `json:"pointer"`
}

func Handler(input Input) (map[string]any, error) {
	types := fmt.Sprintf("%T %T %T %T", input.Anything, input.Nested["small"], input.List[0], input.Inner)
	return map[string]any{"same": input, "types": types}, nil
}
