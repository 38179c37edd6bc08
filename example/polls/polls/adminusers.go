package polls

import (
	"net/url"

	"gorm.io/gorm"
)

func adminUsers(people accounts) section {
	return table[User]{
		what: about{
			Slug: "users", Title: "Users", Noun: "user", Plural: "users", Accounts: true,
			Losses:  "the user's polls, votes, sessions and tokens",
			Columns: []string{"Name", "E-mail", "Staff", "Superuser"},
		},
		matching: func(db *gorm.DB, pattern string) *gorm.DB {
			return db.Where("(folded_name LIKE lower(?) ESCAPE '!' OR lower(email) LIKE lower(?) ESCAPE '!')", pattern, pattern)
		},
		row: func(u User) adminRow {
			return adminRow{u.ID, []string{u.Username, u.Email, yesNo(u.IsStaff), yesNo(u.IsSuperuser)}}
		},
		form: func(_ *gorm.DB, u User) ([]field, error) {
			password := field{Name: "password", Label: "Password", Type: "password", Limit: maxPassword, Required: true}
			if u.ID != 0 {
				password.Label, password.Required = "New password (empty: keep the old one)", false
			}
			return []field{
				{Name: "username", Label: "Name", Value: u.Username, Limit: maxUsername, Required: true, ReadOnly: u.ID != 0},
				{Name: "email", Label: "E-mail", Type: "email", Value: u.Email, Limit: maxEmail},
				{Name: "is_staff", Label: "Staff: may use the admin", Type: "checkbox", Value: checked(u.IsStaff)},
				{Name: "is_superuser", Label: "Superuser: may manage users", Type: "checkbox", Value: checked(u.IsSuperuser)},
				password,
			}, nil
		},
		write: people.write,
	}
}

// write stores what the form of a user says. A superuser is staff.
func (a accounts) write(db *gorm.DB, id int64, in url.Values) error {
	super := in.Get("is_superuser") != ""
	rights := User{IsStaff: super || in.Get("is_staff") != "", IsSuperuser: super}
	user := newUser{in.Get("username"), in.Get("email"), in.Get("password")}
	if id == 0 {
		if err := user.validate(); err != nil {
			return err
		}
		_, err := a.create(db.Statement.Context, user, rights)
		return err
	}
	if err := validateEmail(&user.Email); err != nil {
		return err
	}
	hash := ""
	if user.Password != "" {
		if err := validatePassword(user.Password); err != nil {
			return err
		}
		var err error
		if hash, err = a.hash(user.Password); err != nil {
			return err
		}
	}
	return db.Transaction(func(tx *gorm.DB) error {
		err := tx.Model(&User{}).Where("id = ?", id).Updates(map[string]any{
			"email": user.Email, "is_staff": rights.IsStaff, "is_superuser": rights.IsSuperuser,
		}).Error
		if err != nil || hash == "" {
			return err
		}
		return setPassword(tx, id, hash)
	})
}
