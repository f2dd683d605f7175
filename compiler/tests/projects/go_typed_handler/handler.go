package main

import "fmt"

type Input struct {
	User struct {
		Name string `json:"name"`
		Age  int    `json:"age"`
	} `json:"user"`
	Ids []uint64 `json:"ids"`
}

type Output struct {
	Text string `json:"text"`
	Last uint64 `json:"last"`
}

func Handler(input Input) (*Output, error) {
	text := fmt.Sprintf("<%s> is %d", input.User.Name, input.User.Age)
	return &Output{Text: text, Last: input.Ids[len(input.Ids)-1]}, nil
}
