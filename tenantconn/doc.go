// Package tenantconn is the connection wall: a driver.Connector under one *sql.DB that asks, in every driver call, which
// tenant the statement's context names, and puts that tenant's settings (search_path, a role, app.tenant_id, the MySQL
// database) in front of the statement. Whoever uses the *sql.DB with a context is confined: GORM, its raw SQL,
// database/sql itself and other libraries.
//
// On PostgreSQL through pgx the settings ride in the statement's own network flush (rider.go) and end with it, so a
// confined statement costs no extra round trip and leaves nothing on the connection: right behind a pooler in transaction
// mode. Elsewhere a tracked statement (SET, USE) is sent when the tenant changes (tracked.go).
//
// Where each tenant has a database, the connections of the *sql.DB are virtual: a statement runs on a real connection to its
// tenant's database (virtual.go), from one budget for the whole process (budget.go, pool.go, queue.go, janitor.go).
//
// Where tenants have different strategies, each statement is confined by the wall of its tenant's (sides.go), and a tenant can
// be shut out for as long as it is moved (gate.go).
//
// The path of a statement: database/sql calls conn.go or stmt.go, which asks the [Router] for the [Route], refuses text
// that would undo it (screen.go), checks it against the open transaction, and lets the session apply it (postgres.go,
// tracked.go, virtual.go).
package tenantconn
