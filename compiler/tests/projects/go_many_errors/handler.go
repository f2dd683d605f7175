package main

func Handler(input string) (string, error) {
	a()
	b()
	c()
	d()
	e()
	f()
	g()
	h()
	i()
	j()
	k()
	l()
	return input, nil
}
