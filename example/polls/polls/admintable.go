package polls

import (
	"net/url"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// table is a section made of a model.
type table[M any] struct {
	what about
	// matching narrows a query to rows that fit a LIKE pattern, whose escape character is !.
	matching func(db *gorm.DB, pattern string) *gorm.DB
	preload  []string
	row      func(M) adminRow
	form     func(db *gorm.DB, m M) ([]field, error)
	write    func(db *gorm.DB, id int64, in url.Values) error
}

func (t table[M]) about() about { return t.what }

func (t table[M]) list(db *gorm.DB, search string, page int) (rows []adminRow, total int64, err error) {
	query := func() *gorm.DB {
		q := db.Model(new(M))
		if search = strings.TrimSpace(search); search != "" {
			q = t.matching(q, "%"+escape.Replace(search)+"%")
		}
		return q
	}
	if err := query().Count(&total).Error; err != nil {
		return nil, 0, err
	}
	var found []M
	q := query().Order("id DESC").Limit(adminRows).Offset((page - 1) * adminRows)
	for _, name := range t.preload {
		q = q.Preload(name)
	}
	err = q.Find(&found).Error
	for _, m := range found {
		rows = append(rows, t.row(m))
	}
	return rows, total, err
}

var escape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func (t table[M]) fields(db *gorm.DB, id int64) ([]field, error) {
	var m M
	if id == 0 {
		return t.form(db, m)
	}
	q := db.Where("id = ?", id)
	for _, name := range t.preload {
		q = q.Preload(name)
	}
	if err := q.Take(&m).Error; err != nil {
		return nil, err
	}
	return t.form(db, m)
}

func (t table[M]) save(db *gorm.DB, id int64, in url.Values) error {
	if id != 0 {
		var m M
		if err := db.Where("id = ?", id).Take(&m).Error; err != nil {
			return err
		}
	}
	return t.write(db, id, in)
}

func (t table[M]) remove(db *gorm.DB, id int64) error {
	var m M
	done := db.Where("id = ?", id).Delete(&m)
	if done.Error == nil && done.RowsAffected == 0 {
		return gorm.ErrRecordNotFound
	}
	return done.Error
}

// picked reads the id that a pick list has sent, and looks whether there is such a row to pick.
func picked(db *gorm.DB, in url.Values, name string, model any) (int64, error) {
	id, err := strconv.ParseInt(in.Get(name), 10, 64)
	if err != nil || id <= 0 {
		return 0, badRequest(name + " is missing")
	}
	var n int64
	if err := db.Model(model).Where("id = ?", id).Count(&n).Error; err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, badRequest(name + " is not in the list")
	}
	return id, nil
}
