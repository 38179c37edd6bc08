package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gorm-tenancy/tenancy"
)

var (
	_ tenancy.Surveyor = (*Strategy)(nil)
	_ tenancy.Surveyor = (*Files)(nil)
	_ tenancy.Surveyor = (*Postgres)(nil)
	_ tenancy.Surveyor = (*MySQL)(nil)
)

// Places lists the tenants' databases by the provisioner given to [WithProvisioner]. It is tenancy.ErrUnsupported without
// one, and where it is no tenancy.Surveyor.
func (s *Strategy) Places(ctx context.Context) iter.Seq2[tenancy.Place, error] {
	if surveyor, ok := s.places.(tenancy.Surveyor); ok {
		return surveyor.Places(ctx)
	}
	return found(nil, errNoSurveyor)
}

// PlaceOf returns the name of the tenant's database or file, with the errors of Places, and tenancy.ErrInvalidID.
func (s *Strategy) PlaceOf(id tenancy.ID) (string, error) {
	if surveyor, ok := s.places.(tenancy.Surveyor); ok {
		return surveyor.PlaceOf(id)
	}
	return "", errNoSurveyor
}

var errNoSurveyor = fmt.Errorf("%w: the strategy has no provisioner that lists databases", tenancy.ErrUnsupported)

// found yields places and, last, the error.
func found(places []tenancy.Place, err error) iter.Seq2[tenancy.Place, error] {
	return func(yield func(tenancy.Place, error) bool) {
		for _, p := range places {
			if !yield(p, nil) {
				return
			}
		}
		if err != nil {
			yield(tenancy.Place{}, err)
		}
	}
}

// Places lists the files named as tenants'. A log without its file is one in the way.
func (f *Files) Places(context.Context) iter.Seq2[tenancy.Place, error] {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) { // no tenant was made yet
		return found(nil, nil)
	}
	var places []tenancy.Place
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "tenant_")
		if !ok {
			continue
		}
		if file := strings.TrimSuffix(strings.TrimSuffix(e.Name(), "-wal"), "-journal"); file != e.Name() {
			if _, err := os.Stat(filepath.Join(f.dir, file)); errors.Is(err, fs.ErrNotExist) {
				places = append(places, tenancy.Place{Name: e.Name(), Foreign: true})
			}
			continue
		}
		text, ok = strings.CutSuffix(text, ".db")
		if !ok {
			continue
		}
		p := tenancy.Place{Name: e.Name(), Tenant: tenancy.ID(text), Foreign: ours(filepath.Join(f.dir, e.Name())) != nil}
		if _, err := tenancy.ParseID(text); err != nil {
			p.Tenant, p.Foreign = "", true
		}
		places = append(places, p)
	}
	return found(places, err)
}

// PlaceOf returns the name of the tenant's file.
func (f *Files) PlaceOf(id tenancy.ID) (string, error) {
	path, err := f.path(id)
	return filepath.Base(path), err
}

// Places lists the databases whose names begin with the prefix, without templates and those that are being made.
func (p *Postgres) Places(ctx context.Context) iter.Seq2[tenancy.Place, error] {
	c, err := p.connect(ctx)
	if err != nil {
		return found(nil, err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	rows, err := c.Query(ctx, `SELECT datname, coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database
WHERE starts_with(datname, $1) AND NOT datistemplate AND datallowconn ORDER BY 1`, p.prefix)
	if err != nil {
		return found(nil, err)
	}
	places, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (tenancy.Place, error) {
		var name, comment string
		err := row.Scan(&name, &comment)
		return placeNamed(p.prefix, name, comment == mark(name), func(id tenancy.ID) error { _, err := p.name(id); return err }), err
	})
	return found(places, err)
}

// placeNamed reads the tenant from a name.
func placeNamed(prefix, name string, ours bool, valid func(tenancy.ID) error) tenancy.Place {
	id := tenancy.ID(strings.TrimPrefix(name, prefix))
	if valid(id) != nil {
		return tenancy.Place{Name: name, Foreign: true}
	}
	return tenancy.Place{Name: name, Tenant: id, Foreign: !ours}
}

// PlaceOf returns the name of the tenant's database.
func (p *Postgres) PlaceOf(id tenancy.ID) (string, error) { return p.name(id) }

// Places lists the databases whose names begin with the prefix.
func (m *MySQL) Places(ctx context.Context) iter.Seq2[tenancy.Place, error] {
	var places []tenancy.Place
	err := m.connected(ctx, func(c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, `SELECT s.SCHEMA_NAME, t.TABLE_NAME IS NOT NULL FROM information_schema.SCHEMATA s
LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_NAME = 'tenancy_place'
WHERE LEFT(s.SCHEMA_NAME, CHAR_LENGTH(?)) = ? ORDER BY 1`, m.prefix, m.prefix)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var marked bool
			if err := rows.Scan(&name, &marked); err != nil {
				return err
			}
			places = append(places, placeNamed(m.prefix, name, marked, func(id tenancy.ID) error { _, _, err := m.names(id); return err }))
		}
		return rows.Err()
	})
	return found(places, err)
}

// PlaceOf returns the name of the tenant's database.
func (m *MySQL) PlaceOf(id tenancy.ID) (string, error) {
	name, _, err := m.names(id)
	return name, err
}
