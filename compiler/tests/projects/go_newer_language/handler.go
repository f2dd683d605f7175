package main

func Handler(count int) (int, error) {
	sum := 0
	for i := range count {
		sum += i
	}
	return sum, nil
}
