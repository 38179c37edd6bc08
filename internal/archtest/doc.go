// Package archtest holds the tests of the module's shape: who may import whom, what the core depends on, that what is
// exported is documented and that no file grows too long.
package archtest
