package main

func Handler(input map[string]interface{}) (interface{}, error) {
	return input["echo"], nil
}
