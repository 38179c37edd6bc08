// Package integrations holds the tests of the library in company it does not need itself: other plugins, routers and a
// browser. They have a module of their own, so that what they depend on stays out of the library's go.mod.
package integrations
