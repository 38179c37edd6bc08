package tenancytest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/gorm-tenancy/tenancy"
)

// linked reports whether rows of a join table are found by the rows of one side.
func linked(t tenancy.OwnedTable, equal []string) bool {
	return slices.ContainsFunc(t.Links, func(l tenancy.OwnedLink) bool { return holds(equal, l.Columns) })
}

func holds(all, some []string) bool {
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return len(some) > 0
}

// last is a name without the schema in front of it.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

var aliased = regexp.MustCompile("(?i)(?:FROM|JOIN|UPDATE|,)\\s+([`\"\\w.]+)\\s+(?:AS\\s+)?([`\"]?\\w+[`\"]?)")

// aliases are the names that the text gives to tables.
func (s statement) aliases() map[string]string {
	all := map[string]string{}
	for _, m := range aliased.FindAllStringSubmatch(s.text, -1) {
		all[strings.Trim(m[2], "`\"")] = strings.NewReplacer("`", "", `"`, "").Replace(m[1])
	}
	return all
}

// column reads one column of a query on the transaction.
func (x *examination) column(text string, vars ...any) ([]string, error) {
	rows, err := x.pool.QueryContext(x.ctx, text, vars...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

var (
	reachedSQLite  = regexp.MustCompile(`^(SEARCH|SCAN) (\S+)(?: USING (.*))?`)
	indexSQLite    = regexp.MustCompile(`^(?:COVERING )?INDEX (\S+)`)
	comparedSQLite = regexp.MustCompile(`(\w+)=\?`)
	made           = regexp.MustCompile(`^(?:CO-ROUTINE|MATERIALIZE) (\S+)`)
)

func planSQLite(x *examination, s statement) ([]access, error) {
	rows, err := x.pool.QueryContext(x.ctx, "EXPLAIN QUERY PLAN "+s.text, s.vars...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var details []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		details = append(details, detail)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	rows.Close()
	aliases, subs := s.aliases(), map[string]bool{"CONSTANT": true} // SCAN CONSTANT ROW
	for _, d := range details {
		if m := made.FindStringSubmatch(d); m != nil {
			subs[m[1]] = true
		}
	}
	var all []access
	for _, d := range details {
		m := reachedSQLite.FindStringSubmatch(d)
		if m == nil || subs[m[2]] || strings.HasPrefix(m[2], "(") {
			continue
		}
		a := access{table: m[2], as: d}
		if real, ok := aliases[m[2]]; ok {
			a.table = real
		}
		if m[1] == "SEARCH" {
			if err := x.searchSQLite(&a, m[3]); err != nil {
				return nil, err
			}
		}
		all = append(all, a)
	}
	return all, nil
}

// searchSQLite reads what an index compares. An automatic one is made from the whole table.
func (x *examination) searchSQLite(a *access, using string) error {
	if strings.HasPrefix(using, "INTEGER PRIMARY KEY") {
		a.one = strings.Contains(using, "rowid=?")
		return nil
	}
	m := indexSQLite.FindStringSubmatch(using)
	if m == nil {
		return nil
	}
	for _, c := range comparedSQLite.FindAllStringSubmatch(using, -1) {
		a.equal = append(a.equal, c[1])
	}
	unique, err := x.column(`SELECT i.name FROM pragma_index_list(?) AS l JOIN pragma_index_info(l.name) AS i WHERE l.name = ? AND l."unique" AND NOT l.partial`,
		a.table, m[1])
	a.one = holds(a.equal, unique)
	return err
}

// node is one of PostgreSQL's plan.
type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Schema   string
	Index    string `json:"Index Name"`
	Cond     string `json:"Index Cond"`
	Plans    []node
}

func planPostgres(x *examination, s statement) ([]access, error) {
	text, err := x.column("EXPLAIN (FORMAT JSON, VERBOSE) "+s.text, s.vars...)
	if err != nil {
		return nil, err
	}
	var roots []struct{ Plan node }
	if err := json.Unmarshal([]byte(strings.Join(text, "\n")), &roots); err != nil {
		return nil, err
	}
	var all []access
	for _, r := range roots {
		if err := x.walk(r.Plan, &all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (x *examination) walk(n node, all *[]access) error {
	if n.Relation != "" && strings.HasSuffix(n.Type, "Scan") {
		a, err := x.scan(n, n.Schema)
		if err != nil {
			return err
		}
		a.table, a.as = n.Relation, n.describe()
		*all = append(*all, a)
		return nil // what is below a bitmap scan are its indexes
	}
	for _, p := range n.Plans {
		if err := x.walk(p, all); err != nil {
			return err
		}
	}
	return nil
}

func (n node) describe() string {
	text := n.Type
	if n.Index != "" {
		text += " using " + n.Index + " " + n.Cond
	}
	for _, p := range n.Plans {
		text += "; " + p.describe()
	}
	return text
}

var comparedPostgres = regexp.MustCompile(`\(+(?:"?\w+"?\.)?"?(\w+)"?\)?(?:::[a-z][a-z ]*(?:\(\d+\))?)? = `)

// scan reads which columns the indexes of a scan compare.
func (x *examination) scan(n node, schema string) (access, error) {
	switch n.Type {
	case "Index Scan", "Index Only Scan", "Bitmap Index Scan":
		a := access{}
		for _, m := range comparedPostgres.FindAllStringSubmatch(n.Cond, -1) {
			a.equal = append(a.equal, m[1])
		}
		unique, err := x.column(`SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid
			WHERE i.indisunique AND i.indpred IS NULL AND i.indexrelid = to_regclass(quote_ident($1) || '.' || quote_ident($2))`, schema, n.Index)
		a.one = holds(a.equal, unique)
		return a, err
	case "Bitmap Heap Scan", "BitmapAnd":
		all := access{}
		for _, p := range n.Plans {
			a, err := x.scan(p, schema)
			if err != nil {
				return a, err
			}
			all.equal, all.one = append(all.equal, a.equal...), all.one || a.one
		}
		return all, nil
	case "BitmapOr": // every side has to be the tenant's
		all := access{}
		for i, p := range n.Plans {
			a, err := x.scan(p, schema)
			if err != nil {
				return a, err
			}
			if i == 0 {
				all = a
				continue
			}
			all.equal = slices.DeleteFunc(all.equal, func(c string) bool { return !slices.Contains(a.equal, c) })
			all.one = all.one && a.one
		}
		return all, nil
	}
	return access{}, nil
}

func planMySQL(x *examination, s statement) ([]access, error) {
	text, err := x.column("EXPLAIN FORMAT=JSON "+s.text, s.vars...)
	if err != nil {
		return nil, err
	}
	var plan any
	if err := json.Unmarshal([]byte(strings.Join(text, "")), &plan); err != nil {
		return nil, err
	}
	var all []access
	tablesMySQL(plan, s.aliases(), &all)
	for i := range all {
		if err := x.possible(&all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// possible adds what the indexes begin with that the plan could have used: which one it takes depends on the rows of the moment.
func (x *examination) possible(a *access) error {
	for _, name := range a.possible {
		first, err := x.column("SELECT column_name FROM information_schema.statistics WHERE table_schema = database() AND "+
			"table_name = ? AND index_name = ? AND seq_in_index = 1", last(a.table), name)
		if err != nil {
			return err
		}
		a.equal = append(a.equal, first...)
	}
	return nil
}

func tablesMySQL(part any, aliases map[string]string, all *[]access) {
	switch part := part.(type) {
	case []any:
		for _, p := range part {
			tablesMySQL(p, aliases, all)
		}
	case map[string]any:
		name, _ := part["table_name"].(string)
		if name != "" && !strings.HasPrefix(name, "<") {
			*all = append(*all, accessMySQL(name, part, aliases))
		}
		for _, p := range part {
			tablesMySQL(p, aliases, all)
		}
	}
}

func accessMySQL(name string, part map[string]any, aliases map[string]string) access {
	how, _ := part["access_type"].(string)
	key, _ := part["key"].(string)
	a := access{table: name, as: strings.TrimSpace(name + " " + how + " " + key)}
	if real, ok := aliases[name]; ok {
		a.table = real
	}
	switch strings.ToLower(how) {
	case "const", "eq_ref":
		a.one = true
	}
	a.possible = texts(part["possible_keys"])
	if how == "ref" { // of a range the plan does not say which columns are equal
		a.equal = texts(part["used_key_parts"])
	}
	return a
}

func texts(list any) (all []string) {
	parts, _ := list.([]any)
	for _, p := range parts {
		if s, ok := p.(string); ok {
			all = append(all, s)
		}
	}
	return all
}
