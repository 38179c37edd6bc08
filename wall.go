package tenancy

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// wall confines one statement. It lives on the stack of one callback.
type wall struct {
	plugin *Plugin
	db     *gorm.DB
	stmt   *gorm.Statement
	access *access

	updating bool // rows that exist, of which the statement shows only the changes
	siloed   bool // tenants share no table: only the tenant column, if there is one, is looked after
	apart    bool // the tenant shares no table
	confined bool // the database holds whatever the text names
}

// newWall returns the wall for a statement, with the route of its tenant. A statement that acts for no tenant has the
// route of the strategy.
func (p *Plugin) newWall(db *gorm.DB, a *access) (wall, error) {
	w := wall{plugin: p, db: db, stmt: db.Statement, access: a, siloed: p.isolation.Siloed}
	if a.mode != modeTenant {
		return w, nil
	}
	route, err := p.strategy.Route(db.Statement.Context, a.id)
	if err != nil { // a statement on central tables goes on, and is judged as if nothing else held it
		return w, err
	}
	// Where others share tables the predicate holds for all: one code means one thing, and rows of another tenant that got
	// into the wrong place stay out of sight.
	w.apart, w.confined = !route.Shared, route.Confined
	w.siloed = w.apart && !p.isolation.Mixed
	if a.origin != nil && p.isolation.Mixed { // it is sent to the central database, where others share tables
		w.confined = false
	}
	return w, nil
}

// judgeTables refuses text that names tables the tenant shares, unless the database confines it.
func (w *wall) judgeTables(text string, f flavor) error {
	if w.confined {
		return nil
	}
	_, err := w.plugin.judgeTables(text, f)
	return err
}

// confine puts the predicate in front of everything the caller wrote and judges the text among it.
func (w *wall) confine(t target) error {
	if err := w.clauses(); err != nil {
		return err
	}
	if err := w.selects(); err != nil {
		return err
	}
	if len(w.stmt.Joins) > 0 {
		if err := w.joins(); err != nil {
			return err
		}
	}
	var scopes []clause.Expression
	if from, ok := w.stmt.Clauses["FROM"]; ok {
		var err error
		if scopes, err = w.from(from); err != nil {
			return err
		}
	}
	return w.where(t, scopes)
}

// where makes WHERE read: predicate AND (everything the caller wrote).
func (w *wall) where(t target, more []clause.Expression) error {
	c, exists := w.stmt.Clauses["WHERE"]
	scoped := t.model.confined()
	if scoped && !slices.Contains(w.stmt.BuildClauses, "WHERE") {
		return fmt.Errorf("%w: the statement is built without a WHERE clause", ErrUnconfined)
	}
	if !exists || (c.Expression == nil && c.Builder == nil) {
		if scoped && len(more) == 0 && t.alias == w.stmt.Table {
			w.stmt.Clauses["WHERE"] = t.model.where
			return nil
		}
	} else if c.Builder != nil || c.BeforeExpression != nil || c.AfterNameExpression != nil || c.AfterExpression != nil {
		return fmt.Errorf("%w: a WHERE clause with a builder or text of its own", ErrUnconfined)
	}
	user, err := w.conditions(c.Expression)
	if err != nil {
		return err
	}
	if !scoped && len(more) == 0 && len(user) == 0 {
		return nil
	}
	exprs := make([]clause.Expression, 0, 2+len(more))
	if scoped {
		if t.alias == w.stmt.Table {
			exprs = append(exprs, t.model)
		} else {
			exprs = append(exprs, scopeAt(t))
		}
	}
	exprs = append(exprs, more...)
	if len(exprs) == 0 {
		if where, ok := c.Expression.(clause.Where); ok && moved(user, where.Exprs) {
			c.Expression = clause.Where{Exprs: user}
			w.stmt.Clauses["WHERE"] = c
		}
		return nil
	}
	if g := w.group(user); g != nil {
		exprs = append(exprs, g)
		w.makeRoom(4)
	}
	w.stmt.Clauses["WHERE"] = clause.Clause{Name: "WHERE", Expression: clause.Where{Exprs: exprs}}
	return nil
}

// makeRoom prepares the statement for n values: one allocation, where growing from nothing takes three for four.
func (w *wall) makeRoom(n int) {
	if w.stmt.Vars == nil {
		w.stmt.Vars = make([]any, 0, n)
	}
}

// conditions returns what the caller wrote in WHERE, without the predicate of an earlier run of the same statement.
func (w *wall) conditions(e clause.Expression) ([]clause.Expression, error) {
	where, ok := e.(clause.Where)
	if !ok {
		if e == nil {
			return nil, nil
		}
		where.Exprs = []clause.Expression{e}
	}
	user := where.Exprs
	for len(user) > 0 && isPredicate(user[0]) {
		user = user[1:]
	}
	return w.exprs(user)
}

func isPredicate(e clause.Expression) bool {
	switch e.(type) {
	case *model, scopeAt, joinScope:
		return true
	}
	return false
}

// group makes one expression of the caller's conditions that nothing in them can leave. It unfolds them as clause.Where
// does, so that several of them mean what they mean without the plugin.
func group(user []clause.Expression) clause.Expression {
	if len(user) == 1 {
		if and, ok := user[0].(clause.AndConditions); ok {
			user = and.Exprs
		}
	}
	switch len(user) {
	case 0:
		return nil
	case 1:
		return alone(user[0])
	}
	return clause.AndConditions{Exprs: firstNotOr(user)} // this type, because FirstOrCreate reads attributes back from it
}

// group is that of the statement's WHERE. Where rows are deleted softly GORM makes a group of its own, before clause.Where could
// unfold the conditions: a leading Or then narrows what follows.
func (w *wall) group(user []clause.Expression) clause.Expression {
	if len(user) > 1 && !w.stmt.Unscoped && softly(w.stmt.Schema) {
		return clause.AndConditions{Exprs: user}
	}
	return group(user)
}

// softly reports whether deleted rows of a model stay.
func softly(s *schema.Schema) bool {
	if s == nil {
		return false
	}
	for _, c := range s.QueryClauses {
		if _, ok := c.(gorm.StatementModifier); ok {
			return true
		}
	}
	return false
}

// alone puts a single condition into parentheses, if it has none of its own.
func alone(e clause.Expression) clause.Expression {
	var inner []clause.Expression
	switch v := e.(type) {
	case clause.AndConditions:
		inner = v.Exprs
	case clause.OrConditions:
		inner = v.Exprs
	case paren:
		return e
	default:
		if closed(e) {
			return e
		}
		return paren{e}
	}
	switch len(inner) {
	case 0:
		return nil
	case 1:
		return alone(inner[0])
	}
	return e
}

// firstNotOr does what clause.Where does: a leading Or joins what follows it.
func firstNotOr(exprs []clause.Expression) []clause.Expression {
	for i, e := range exprs {
		if or, ok := e.(clause.OrConditions); ok && len(or.Exprs) == 1 {
			continue
		}
		if i > 0 {
			exprs = slices.Clone(exprs)
			exprs[0], exprs[i] = exprs[i], exprs[0]
		}
		break
	}
	return exprs
}

// closed reports whether an expression writes a single comparison of a quoted column with bound values.
func closed(e clause.Expression) bool {
	switch e := e.(type) {
	case clause.Eq:
		return plainColumn(e.Column) && plainValue(e.Value)
	case clause.IN:
		// One value is written without parentheses of its own.
		return plainColumn(e.Column) && (len(e.Values) != 1 || plainValue(e.Values[0]))
	}
	return false
}

func plainColumn(c any) bool {
	switch c := c.(type) {
	case string:
		return true
	case clause.Column:
		return !c.Raw
	}
	return false
}

func plainValue(v any) bool {
	switch v.(type) {
	case clause.Expression, gorm.Valuer:
		return false
	}
	return true
}

// joins scopes joined associations in their ON and judges joins written as text.
func (w *wall) joins() error {
	for i := range w.stmt.Joins {
		j := &w.stmt.Joins[i] // the statement's own copy
		rels := relationsOf(w.stmt.Schema, j.Name)
		if rels == nil {
			if err := w.rawJoin(j.Name, j.Conds); err != nil {
				return err
			}
			j.Conds = resolvedVars(j.Conds)
			continue
		}
		scope, err := w.joinScope(rels, j.Alias)
		if err != nil {
			return err
		}
		if j.Expression != nil {
			if err := w.expr(j.Expression); err != nil {
				return err
			}
			j.Expression = resolved(j.Expression)
		}
		var user []clause.Expression
		if j.On != nil {
			if user, err = w.conditions(*j.On); err != nil {
				return err
			}
		}
		if len(scope.owned) == 0 {
			continue
		}
		if err := w.permitJoin(string(j.JoinType)); err != nil {
			return err
		}
		on := clause.Where{Exprs: []clause.Expression{scope}}
		if g := group(user); g != nil {
			on.Exprs = append(on.Exprs, g)
		}
		j.On = &on
	}
	return nil
}

// relationsOf follows an association name as GORM does; nil means that the join is text.
func relationsOf(s *schema.Schema, name string) []*schema.Relationship {
	if s == nil {
		return nil
	}
	if rel, ok := s.Relationships.Relations[name]; ok {
		return []*schema.Relationship{rel}
	}
	if !strings.Contains(name, ".") {
		return nil
	}
	var rels []*schema.Relationship
	for _, part := range strings.Split(name, ".") {
		rel, ok := s.Relationships.Relations[part]
		if !ok {
			return nil
		}
		rels, s = append(rels, rel), rel.FieldSchema
	}
	return rels
}

// joinScope is the predicate in the ON of one association join. GORM builds the ON of every table of "A.B" from it, with
// a Statement that knows nothing but the table's alias.
type joinScope struct {
	owned map[string]*model // by alias
}

func (w *wall) joinScope(rels []*schema.Relationship, alias string) (joinScope, error) {
	s := joinScope{}
	name := ""
	for i, rel := range rels {
		if name != "" {
			name += "__"
		}
		name += rel.Name
		as := name
		if i == len(rels)-1 && alias != "" {
			as = alias
		}
		m := w.plugin.modelOf(w.db, rel.FieldSchema)
		if m.kind == kindUndeclared {
			return s, m.err
		}
		if m.confined() {
			if s.owned == nil {
				s.owned = map[string]*model{}
			}
			s.owned[as] = m
		}
	}
	if len(s.owned) > 0 {
		return s, w.plugin.permit(w.db, w.access)
	}
	return s, nil
}

func (s joinScope) Build(b clause.Builder) {
	stmt, ok := b.(*gorm.Statement)
	if !ok {
		b.AddError(ErrUnconfined)
		return
	}
	m, ok := s.owned[stmt.Table]
	if !ok {
		_, _ = stmt.WriteString("1 = 1")
		return
	}
	m.write(stmt, stmt.Table)
}

// permitJoin refuses join types whose ON does not confine the joined table: the rows without a partner come anyway.
// With an owned main table its WHERE removes them.
func (w *wall) permitJoin(joinType string) error {
	switch strings.ToUpper(joinType) {
	case "", "INNER", "LEFT", "LEFT OUTER", "CROSS":
		return nil
	}
	if w.stmt.Schema != nil && w.plugin.modelOf(w.db, w.stmt.Schema).confined() {
		return nil
	}
	return fmt.Errorf("%w: a %s join of an owned table onto a central one; start from the owned table", ErrUnconfined, joinType)
}

// from judges an explicit FROM clause and returns the predicates its tables need in WHERE.
func (w *wall) from(c clause.Clause) (scopes []clause.Expression, err error) {
	if c.Builder != nil {
		return nil, fmt.Errorf("%w: a FROM clause with a builder of its own", ErrUnconfined)
	}
	from, ok := c.Expression.(clause.From)
	if !ok {
		if c.Expression == nil {
			return nil, nil
		}
		return nil, w.expr(c.Expression)
	}
	for _, t := range from.Tables {
		if t.Name == clause.CurrentTable || (t.Name == w.stmt.Table && t.Alias == "" && w.stmt.TableExpr == nil) {
			continue
		}
		m, alias, err := w.fromTable(t)
		if err != nil {
			return nil, err
		}
		if m.confined() {
			scopes = append(scopes, scopeAt{m, alias})
		}
	}
	if len(from.Joins) == 0 {
		return scopes, nil
	}
	joins := slices.Clone(from.Joins)
	for i := range joins {
		if joins[i], err = w.fromJoin(joins[i]); err != nil {
			return nil, err
		}
	}
	c.Expression = clause.From{Tables: from.Tables, Joins: joins}
	w.stmt.Clauses["FROM"] = c
	return scopes, nil
}

func (w *wall) fromJoin(j clause.Join) (clause.Join, error) {
	if j.Expression != nil {
		if named, ok := j.Expression.(clause.NamedExpr); ok {
			return j, w.rawJoin(named.SQL, named.Vars)
		}
		if raw, ok := j.Expression.(clause.Expr); ok {
			return j, w.rawJoin(raw.SQL, raw.Vars)
		}
		return j, w.expr(j.Expression)
	}
	user, err := w.conditions(j.ON)
	if err != nil {
		return j, err
	}
	m, alias, err := w.fromTable(j.Table)
	if err != nil || !m.confined() {
		return j, err
	}
	if err := w.permitJoin(string(j.Type)); err != nil {
		return j, err
	}
	if len(user) == 0 && len(j.Using) > 0 {
		return j, fmt.Errorf("%w: join %q with USING; write its ON", ErrUnconfined, m.table)
	}
	j.ON = clause.Where{Exprs: []clause.Expression{scopeAt{m, alias}}}
	if g := group(user); g != nil {
		j.ON.Exprs = append(j.ON.Exprs, g)
	}
	return j, nil
}

func (w *wall) fromTable(t clause.Table) (*model, string, error) {
	if t.Raw {
		return nil, "", w.text(t.Name, nil, "FROM ")
	}
	alias := t.Alias
	if alias == "" {
		alias = lastSegment(t.Name)
	}
	known, ok := w.plugin.tables.Load(tableKey(lastSegment(t.Name)))
	if !ok {
		if w.plugin.config.allowUndeclared || isCatalog(tableRef{name: t.Name}) {
			return nil, "", nil
		}
		return nil, "", unknownTable(t.Name)
	}
	m := known.(*model)
	if m.confined() {
		if err := w.plugin.permit(w.db, w.access); err != nil {
			return nil, "", err
		}
	}
	return m, alias, nil
}
