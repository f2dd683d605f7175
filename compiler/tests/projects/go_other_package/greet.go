package greet

func Handler(name string) (string, error) {
	return "Hello, " + name, nil
}
