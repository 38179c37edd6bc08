package strategytest

// Attacks are the names of all attacks.
func Attacks() (names []string) {
	for _, a := range attacks {
		names = append(names, a.name)
	}
	return names
}
