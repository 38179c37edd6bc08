//go:build mutation

package mutation_test

// walled is a guard of the connection wall or of a strategy, with the tests that miss it: a pattern in a package.
type walled struct {
	guard
	tests, run string
}

const (
	suite    = "./strategies/strategytest"
	shared   = "./strategies/shared"
	hybrid   = "./strategies/hybrid"
	moves    = "TestNothingIsWrittenBehindACopy|TestTransactionAcrossAMove|TestMoveUnderLoad"
	onMaria  = "TestStrategies/schema_on_MariaDB"
	onFiles  = "TestStrategies/database_on_SQLite"
	onServer = "TestStrategies/schema_on_PostgreSQL"
	secured  = "TestStrategies/row-level_security_on_PostgreSQL"
)

var walls = []walled{
	// The connection wall.
	{guard{"a transaction keeps its tenant", "tenantconn/conn.go", "if c.pin != nil && !r.same(*c.pin) {\n\t\treturn Route{}", "if false {\n\t\treturn Route{}"}, suite, onServer},
	{guard{"a connection is set for each tenant", "tenantconn/tracked.go", "if s.current != nil && s.current.same(r) {", "if s.current != nil {"}, suite, onMaria},
	{guard{"a prepared statement is prepared for each tenant", "tenantconn/tracked.go", "if st.last != nil && st.owner.same(r) {", "if st.last != nil {"}, suite, onMaria},
	{guard{"a borrowed connection leads to the tenant's place", "tenantconn/virtual.go", "l.place == place && l.pool == pool", "l.pool == pool"}, suite, onFiles},
	{guard{"a borrowed statement is of the connection", "tenantconn/virtual.go", "l.real == on && l.key == key", "l.key == key"}, "./strategies/database", "TestPreparedByAnother|TestTwoOpen"},
	{guard{"text does not change settings", "tenantconn/conn.go", "	return r, r.wall.screen(text)\n", "	return r, nil\n"}, shared, "TestModes/exec"},
	{guard{"settings outlive no statement", "tenantconn/conn.go", "if r.wall.outlived(r) && outlives(text) {", "if false {"}, "./tenantconn", "TestEndsAsText"},
	{guard{"a shut gate lets nobody in", "tenantconn/gate.go", "	if g.shut > 0 {\n\t\treturn errShut\n\t}\n\tg.inside++", "	g.inside++"}, "./tenantconn", "TestShutGate"},
	{guard{"nothing is committed where a tenant was", "tenantconn/conn.go", "if err := t.conn.still(t.ctx); err != nil {", "if err := error(nil); err != nil {"}, hybrid, moves},
	// The strategies.
	{guard{"pinned serves one tenant", "strategies/pinned/pinned.go", "if id != s.tenant {", "if false {"}, suite, "TestStrategies/pinned_over_shared_on_SQLite"},
	{guard{"pinned restricts schema", "strategies/schema/schema.go", "if s.allow != nil {", "if s.allow != nil && false {"}, suite, "TestStrategies/pinned_over_schema_on_PostgreSQL"},
	{guard{"pinned restricts database", "strategies/database/database.go", "if allow != nil {", "if allow != nil && false {"}, suite, "TestStrategies/pinned_over_database_on_SQLite"},
	{guard{"policies hold the owner of tables", "strategies/shared/policy.go", "		\"ALTER TABLE \" + table + \" FORCE ROW LEVEL SECURITY\",\n", ""}, suite, secured},
	{guard{"a link is of two rows of the tenant", "strategies/shared/policy.go", "strings.Join(each, \" AND \")", "strings.Join(each, \" OR \")"}, shared, "TestModes/exec"},
	{guard{"two spellings are not one tenant", "strategies/shared/policy.go", "return \"(SELECT CASE WHEN \" + cast + \"::text = \" + current + \" THEN \" + cast + \" ELSE NULL::\" + as + \" END)\"", "return \"(SELECT \" + cast + \")\""}, shared, "TestSpellings"},
	{guard{"a moved tenant is found where it is", "strategies/hybrid/choose.go", "at.member == member && at.place == place", "at.member != \"\""}, hybrid, "TestMove"},
	{guard{"hybrid asks for whom it is restricted", "strategies/hybrid/choose.go", "if s.allow != nil {", "if s.allow != nil && false {"}, suite, "TestStrategies/pinned_over_hybrid_on_SQLite"},
}
