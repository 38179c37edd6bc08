// Package containers runs the polls application with a set of containers for each tenant: the application pinned to the
// tenant, its own database, a migration that ends before the application starts, and one nginx in front of all. What runs is
// rendered from the catalog: a compose file, the configuration of nginx, a Dockerfile and secrets.
//
// Tenants' containers share no network and no secret. Of a tenant's record only the id, the state and the domains are used, and
// each is checked again before it becomes part of a file; names and metadata never do.
package containers
