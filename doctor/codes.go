package doctor

// The codes of this package's own checks. Those of strategies are in their tenancy.Defect.
const (
	codePoolerSession = "pooler-session"
	codePoolerLocks   = "pooler-locks"
	codePooler        = "pooler-transaction"

	codeTableMissing  = "table-missing"
	codeColumnMissing = "column-missing"
	codeIndexMissing  = "index-missing"
	codeUniqueGlobal  = "unique-global"
	codeKeySequential = "key-sequential"
	codeKeyGlobal     = "key-global"

	codeReference      = "reference-unchecked"
	codeForeignKeysOff = "foreign-keys-off"

	codePlaceForeign  = "place-foreign"
	codePlaceTaken    = "place-taken"
	codePlaceCollides = "place-collides"
	codePlaceOrphaned = "place-orphaned"
	codePlaceMissing  = "place-missing"
	codePlaceLeft     = "place-left"
	codeUnplaced      = "tenant-unplaced"

	codeIDInvalid  = "id-invalid"
	codeIDCollides = "id-collides"
	codeIDTooLong  = "id-too-long"

	codeBehind  = "behind"
	codeBlocked = "migration-blocked"

	codeRowUnowned  = "row-unowned"
	codeRowOrphaned = "row-orphaned"
	codeRowLeft     = "row-left"
)

// Code is one kind of finding.
type Code struct {
	// Name is the code.
	Name string
	// Severity is that of its findings.
	Severity Severity
	// Means says what was found.
	Means string
}

// Codes lists the codes of this module, those of its strategies included. Safe for concurrent use.
func Codes() []Code {
	return []Code{
		{codePoolerSession, Error, "a pooler in transaction mode, and the strategy keeps the tenant on the session"},
		{codePoolerLocks, Error, "a pooler in transaction mode, and migrations lock tenants by the session"},
		{codePooler, Info, "a pooler in transaction mode, which is fine"},
		{"role-above-policies", Error, "the connection's role is not held by policies, or can become one that is not"},
		{"rls-off", Error, "an owned table has no row-level security"},
		{"rls-not-forced", Error, "an owned table does not force row-level security on its owner"},
		{"policy-missing", Error, "an owned table has no policy of tenancy"},
		{"policy-changed", Error, "the policy of tenancy says something else than it should"},
		{"policy-foreign", Error, "another policy shows rows of other tenants"},
		{"policy-impossible", Error, "an owned relation can have no policies"},
		{"view-above-policies", Error, "an owned view reads with the rights of a role above policies"},
		{"table-forgotten", Error, "a table that nobody declared has a tenant column and no policy"},
		{"bypass-role", Error, "the role for tenancy.Bypass is missing, or sees no rows"},
		{"table-misplaced", Error, "an owned table stands where all tenants reach it"},
		{"table-qualified", Error, "an owned model names a schema"},
		{"central-unqualified", Error, "on MySQL, a central model names no database"},
		{"central-shadowed", Error, "a table in a tenant's schema stands in front of a central one"},
		{codeTableMissing, Warning, "an owned table does not exist, so that it was not looked at"},
		{codeColumnMissing, Error, "an owned table has no tenant column"},
		{codeIndexMissing, Warning, "no index of an owned table begins with the tenant column"},
		{codeUniqueGlobal, Warning, "a unique index without the tenant says which values other tenants have"},
		{codeKeySequential, Info, "a primary key counts the rows of all tenants"},
		{codeKeyGlobal, Info, "a primary key without the tenant says which keys other tenants have"},
		{codeReference, Error, "nobody checks whose row a reference points at"},
		{codeForeignKeysOff, Error, "nobody checks references, and the connection does not enforce foreign keys"},
		{codePlaceForeign, Warning, "something has a tenant's name and was not made for that tenant"},
		{codePlaceTaken, Error, "a tenant of the catalog would be served from a place that was not made for it"},
		{codePlaceCollides, Error, "two places differ in capitals only, or behind the 63rd byte"},
		{codePlaceOrphaned, Warning, "a place has no tenant in the catalog, or one that was purged"},
		{codePlaceMissing, Error, "a tenant of the catalog has no place"},
		{codePlaceLeft, Warning, "a tenant was moved away from a place, which is still there"},
		{codeUnplaced, Error, "the record of a tenant does not say by which strategy it is served"},
		{codeIDInvalid, Error, "the id of a tenant of the catalog cannot be used"},
		{codeIDCollides, Error, "the ids of two tenants of the catalog differ in capitals only, or give one name"},
		{codeIDTooLong, Error, "the id of a tenant of the catalog does not fit a tenant column"},
		{codeBehind, Warning, "a tenant lacks migrations"},
		{codeBlocked, Error, "a tenant's migrations cannot go on"},
		{codeRowUnowned, Warning, "rows of an owned table belong to nobody"},
		{codeRowOrphaned, Warning, "rows belong to a tenant that the catalog does not have"},
		{codeRowLeft, Warning, "shared tables have rows of a tenant that was moved away from them"},
	}
}

// severityOf returns the severity of a code. Codes of other strategies are errors: they are why db.Use would fail.
func severityOf(code string) Severity {
	for _, c := range Codes() {
		if c.Name == code {
			return c.Severity
		}
	}
	return Error
}
