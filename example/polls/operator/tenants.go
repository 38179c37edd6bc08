package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/migrate"
)

// listed is how many tenants are on a page.
const listed = 25

// row is a tenant as the list shows it.
type row struct {
	catalog.Tenant
	// At is the strategy, and the place where the catalog knows one.
	At string
	// Tables says how the tenant's tables stand.
	Tables string
	// Size counts its rows.
	Size string
	// Can are the steps that its state allows.
	Can []catalog.Step
}

// list returns a page of tenants, and whether there are more.
func (s *Site) list(ctx context.Context, page int, states ...catalog.State) (tenants []catalog.Tenant, more bool, err error) {
	skip := page * listed
	for t, err := range s.Catalog.Store().List(ctx, catalog.Filter{States: states}) {
		if err != nil {
			return nil, false, err
		}
		if skip--; skip >= 0 {
			continue
		}
		if len(tenants) == listed {
			return tenants, true, nil
		}
		tenants = append(tenants, t)
	}
	return tenants, false, nil
}

func (s *Site) tenants(c *gin.Context) {
	ctx := c.Request.Context()
	page, err := strconv.Atoi(c.Query("page"))
	if err != nil || page < 1 || page > 1_000_000 {
		page = 1
	}
	tenants, more, err := s.list(ctx, page-1, catalog.Creating, catalog.Ready, catalog.Active, catalog.Suspended, catalog.Maintenance,
		catalog.Renaming, catalog.Deleting, catalog.Purging)
	if err != nil {
		s.fail(c, err)
		return
	}
	rows := make([]row, 0, len(tenants))
	for _, t := range tenants {
		rows = append(rows, s.row(ctx, t))
	}
	data := gin.H{"Title": "Tenants", "Rows": rows, "Base": s.baseOf(c.Request.Host), "Page": page}
	if page > 1 {
		data["Back"] = page - 1
	}
	if more {
		data["Further"] = page + 1
	}
	s.page(c, http.StatusOK, "tenants.html", data)
}

// row asks what the catalog does not know. What cannot be said shows as a question mark, and is logged.
func (s *Site) row(ctx context.Context, t catalog.Tenant) row {
	r := row{Tenant: t, At: s.Strategy, Tables: "?", Size: "?"}
	if len(s.Plans) > 0 {
		r.At = t.Strategy
	}
	if t.Place != "" {
		r.At += " at " + t.Place
	}
	for step, final := range map[catalog.Step]catalog.State{
		catalog.StepSuspend: catalog.Suspended, catalog.StepResume: catalog.Active, catalog.StepDelete: catalog.Deleting,
		catalog.StepUndelete: catalog.Active,
	} {
		if t.Allows(step) == nil && t.State != final { // otherwise there is nothing to do
			r.Can = append(r.Can, step)
		}
	}
	slices.Sort(r.Can)
	switch t.State {
	case catalog.Creating, catalog.Renaming, catalog.Purging:
		return r // there may be no tables
	}
	var err error
	if r.Tables, err = s.tables(ctx, t.ID); err != nil {
		s.Logger.WarnContext(ctx, "how a tenant's tables stand", "error", err)
	}
	if r.Size, err = s.size(ctx, t.ID); err != nil {
		s.Logger.WarnContext(ctx, "the size of a tenant", "error", err)
	}
	return r
}

func (s *Site) tables(ctx context.Context, id tenancy.ID) (string, error) {
	switch err := s.Migrations.Ready(ctx, id); {
	case err == nil:
		return "at head", nil
	case errors.Is(err, migrate.ErrBehind):
		return "behind", nil
	default:
		return "?", err
	}
}

// size counts the tenant's rows, as the tenant.
func (s *Site) size(ctx context.Context, id tenancy.ID) (string, error) {
	db := s.DB.WithContext(tenancy.WithTenant(ctx, id))
	var counts []string
	for _, kind := range []struct {
		model     any
		one, many string
	}{{&polls.User{}, "user", "users"}, {&polls.Poll{}, "poll", "polls"}, {&polls.Vote{}, "vote", "votes"}} {
		var n int64
		if err := db.Model(kind.model).Count(&n).Error; err != nil {
			return "?", err
		}
		if n == 1 {
			kind.many = kind.one
		}
		counts = append(counts, fmt.Sprintf("%d %s", n, kind.many))
	}
	return strings.Join(counts, ", "), nil
}

// named returns the tenant that the address names. What is no id names nothing.
func (s *Site) named(c *gin.Context) (t catalog.Tenant, ok bool) {
	id, err := tenancy.ParseID(c.Param("id"))
	if err == nil {
		t, err = s.Catalog.Store().Get(c.Request.Context(), id)
	}
	switch {
	case err == nil:
		return t, true
	case errors.Is(err, tenancy.ErrInvalidID), errors.Is(err, tenancy.ErrUnknownTenant):
		s.refuse(c, http.StatusNotFound, "There is no such tenant.")
	default:
		s.fail(c, err)
	}
	return t, false
}

func (s *Site) tenant(c *gin.Context) {
	if t, ok := s.named(c); ok {
		s.page(c, http.StatusOK, "tenant.html", gin.H{
			"Title": t.ID.String(), "Row": s.row(c.Request.Context(), t), "Base": s.baseOf(c.Request.Host),
		})
	}
}

func (s *Site) deletePage(c *gin.Context) {
	if t, ok := s.named(c); ok {
		s.page(c, http.StatusOK, "delete.html", gin.H{"Title": "Delete " + t.ID.String(), "ID": t.ID})
	}
}

// step takes a tenant through a step. Deleting wants the tenant's id typed.
func (s *Site) step(c *gin.Context) {
	steps := map[string]func(context.Context, tenancy.ID) (catalog.Tenant, error){
		"suspend": s.Catalog.Suspend, "resume": s.Catalog.Resume, "delete": s.Catalog.Delete, "undelete": s.Catalog.Undelete,
	}
	take, ok := steps[c.Param("step")]
	if !ok {
		s.refuse(c, http.StatusNotFound, "There is nothing at this address.")
		return
	}
	t, ok := s.named(c)
	if !ok {
		return
	}
	if c.Param("step") == "delete" && c.PostForm("confirm") != t.ID.String() {
		s.page(c, http.StatusBadRequest, "delete.html", gin.H{"Title": "Delete " + t.ID.String(), "ID": t.ID, "Error": "Type the tenant's name."})
		return
	}
	_, err := take(c.Request.Context(), t.ID)
	switch {
	case err == nil:
		c.Redirect(http.StatusSeeOther, "/operator/tenants/"+t.ID.String()+"/")
	case errors.Is(err, catalog.ErrTransition), errors.Is(err, catalog.ErrConflict), errors.Is(err, catalog.ErrVetoed):
		s.refuse(c, http.StatusConflict, "The tenant is "+string(t.State)+" now, which does not allow this.")
	default:
		s.fail(c, err)
	}
}
