package polls

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
)

const adminRows = 50

// section is one kind of rows in the admin. Sections are immutable and safe for concurrent use.
type section interface {
	about() about
	// list returns one page of rows, which count from 1, and how many rows fit the search.
	list(db *gorm.DB, search string, page int) ([]adminRow, int64, error)
	// fields returns the form of a row, or of a new one where id is 0.
	fields(db *gorm.DB, id int64) ([]field, error)
	// save stores what a form says. It fails with a problem where the form is wrong.
	save(db *gorm.DB, id int64, in url.Values) error
	// remove deletes a row with everything that points at it.
	remove(db *gorm.DB, id int64) error
}

// about is what the pages show of a section.
type about struct {
	Slug, Title  string
	Noun, Plural string
	Columns      []string
	Losses       string // what goes with a deleted row; empty where rows are only read
	Accounts     bool   // only superusers write
}

// Editable reports whether the admin changes such rows at all.
func (s about) Editable() bool { return s.Losses != "" }

type adminRow struct {
	ID    int64
	Cells []string
}

// field is one line of a form. Its zero type is that of an input for text.
type field struct {
	Name, Label, Type, Value string
	Limit                    int
	Required, ReadOnly       bool
	Options                  []option
}

type option struct{ Value, Label string }

// Shown is the value as text for people.
func (f field) Shown() string {
	for _, o := range f.Options {
		if o.Value == f.Value {
			return o.Label
		}
	}
	switch {
	case f.Type == "checkbox":
		return yesNo(f.Value != "")
	case f.Type == "password":
		return ""
	}
	return f.Value
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func checked(b bool) string {
	if b {
		return "on"
	}
	return ""
}

func (s about) mayWrite(user *User) bool { return s.Editable() && (!s.Accounts || user.IsSuperuser) }

// place is where a request in the admin leads: a section, and a row of it unless it is the list or a new row.
func (a *App) place(c *gin.Context) (s section, id int64, err error) {
	for _, one := range a.sections {
		if one.about().Slug == c.Param("section") {
			s = one
		}
	}
	switch {
	case s == nil:
		return nil, 0, gorm.ErrRecordNotFound
	case c.Param("id") == "":
		return s, 0, nil
	}
	id, err = number(c, "id")
	return s, id, err
}

// writable is place for a request that writes.
func (a *App) writable(c *gin.Context) (s section, id int64, err error) {
	s, id, err = a.place(c)
	switch {
	case err != nil:
	case !s.about().Editable():
		err = forbidden(s.about().Plural + " are only read here")
	case !s.about().mayWrite(current(c)):
		err = forbidden("only superusers manage " + s.about().Plural)
	}
	return s, id, err
}

func (a *App) adminIndex(c *gin.Context) error {
	sections := make([]about, len(a.sections))
	for i, s := range a.sections {
		sections[i] = s.about()
	}
	a.page(c, http.StatusOK, "admin_index.html", gin.H{"Title": "Admin", "Sections": sections})
	return nil
}

func (a *App) adminList(c *gin.Context) error {
	s, _, err := a.place(c)
	if err != nil {
		return err
	}
	n, search := pageNumber(c), c.Query("q")
	rows, total, err := s.list(a.db.WithContext(c.Request.Context()), search, n)
	if err != nil {
		return err
	}
	about := s.about()
	link := fmt.Sprintf("/admin/%s/?q=%s&page=", about.Slug, url.QueryEscape(search))
	done := map[string]string{"saved": "Saved.", "deleted": "Deleted."}[c.Query("done")]
	a.page(c, http.StatusOK, "admin_list.html", gin.H{
		"Title": about.Title, "Section": about, "Search": search, "Rows": rows, "Total": total, "Done": done,
		"Pages": pagesOf(link, n, total, adminRows), "MayWrite": about.mayWrite(current(c)),
	})
	return nil
}

func (a *App) adminForm(c *gin.Context) error {
	s, id, err := a.place(c)
	if err != nil {
		return err
	}
	fields, err := s.fields(a.db.WithContext(c.Request.Context()), id)
	if err != nil {
		return err
	}
	a.showForm(c, s.about(), id, fields, http.StatusOK, "")
	return nil
}

func (a *App) showForm(c *gin.Context, s about, id int64, fields []field, status int, wrong string) {
	title, place := "New "+s.Noun, "add"
	if id != 0 {
		title, place = fmt.Sprintf("%s%s %d", strings.ToUpper(s.Noun[:1]), s.Noun[1:], id), strconv.FormatInt(id, 10)
	}
	a.page(c, status, "admin_form.html", gin.H{
		"Title": title, "Section": s, "Place": place, "Fields": fields, "MayWrite": s.mayWrite(current(c)), "Error": wrong,
	})
}

func (a *App) adminSave(c *gin.Context) error {
	s, id, err := a.writable(c)
	if err != nil {
		return err
	}
	in, err := form(c)
	if err != nil {
		return err
	}
	db := a.db.WithContext(c.Request.Context())
	if s.about().Accounts && id == current(c).ID && in.Get("is_superuser") == "" {
		err = badRequest("you cannot take your own rights away")
	} else {
		err = s.save(db, id, in)
	}
	p, ok := refused(err)
	if !ok && err != nil {
		return err
	}
	if !ok {
		c.Redirect(http.StatusSeeOther, "/admin/"+s.about().Slug+"/?done=saved")
		return nil
	}
	fields, err := s.fields(db, id)
	if err != nil {
		return err
	}
	for i, f := range fields {
		if f.Type != "password" && !f.ReadOnly {
			fields[i].Value = in.Get(f.Name)
		}
	}
	a.showForm(c, s.about(), id, fields, p.Status, p.Detail)
	return nil
}

func (a *App) adminDeletePage(c *gin.Context) error {
	s, id, err := a.writable(c)
	if err != nil {
		return err
	}
	fields, err := s.fields(a.db.WithContext(c.Request.Context()), id)
	if err != nil {
		return err
	}
	a.page(c, http.StatusOK, "admin_delete.html", gin.H{
		"Title": fmt.Sprintf("Delete %s %d", s.about().Noun, id), "Section": s.about(), "Place": id, "Fields": fields,
	})
	return nil
}

func (a *App) adminDelete(c *gin.Context) error {
	s, id, err := a.writable(c)
	if err != nil {
		return err
	}
	if s.about().Accounts && id == current(c).ID {
		return forbidden("you cannot delete your own account")
	}
	if err := s.remove(a.db.WithContext(c.Request.Context()), id); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/admin/"+s.about().Slug+"/?done=deleted")
	return nil
}

// usersOf lists users to pick from.
func usersOf(db *gorm.DB) ([]option, error) {
	var users []User
	err := db.Order("folded_name").Limit(maxOptions).Find(&users).Error
	options := make([]option, len(users))
	for i, u := range users {
		options[i] = option{strconv.FormatInt(u.ID, 10), u.Username}
	}
	return options, err
}

// maxOptions is the most a pick list shows.
const maxOptions = 1000
