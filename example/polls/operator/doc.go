// Package operator is the pages of whoever runs the polls for many tenants, at the address that no tenant has: a front page,
// a form by which visitors launch a tenant of their own, and a list of tenants for operators who are signed in. It is
// central: operators are no users of any tenant, and no tenant's user is one of them.
package operator
