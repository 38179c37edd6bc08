package polls

// NetworkOf is networkOf, for tests of its edges.
func NetworkOf(address string) string { return networkOf(address) }
