// Package tenancytest is for the tests of applications that use the plugin: does what this application does with its own models
// stay inside the tenant?
//
//   - [SQLite] and [Postgres] fill a database once for all tests of a binary, and give each test a copy of its own.
//   - [Seed] makes rows of two tenants for models, with the same ids wherever the tables let two tenants have them.
//   - [RequireIsolated] derives what can be done with a model from its schema, and does it as one tenant with the rows of another.
//   - [RequireScoped] asks the database for its plan of what some code does: each owned table must be reached through an index
//     that begins with the tenant.
//   - [NewClient] makes requests to an HTTP handler as visitors of one tenant do.
//
// A whole test, and what none of this proves, is in docs/tenancytest.md.
//
// Import the package from test files only: it imports testing, and nothing of it belongs into a program. It imports no driver
// and starts no server.
package tenancytest
