// Package hosting puts tenants under the polls: it opens the database with one of the strategies, keeps the list of tenants,
// migrates, finds the tenant of a request, and serves the operator's pages where no tenant is asked for. The application,
// package polls, is the same in all of them.
package hosting
