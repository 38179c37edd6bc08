package polls

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// accounts are the users and their passwords. It is safe for concurrent use.
type accounts struct {
	db      *gorm.DB
	cost    int
	unknown []byte // the hash that the password of an unknown user is compared with
}

func newAccounts(db *gorm.DB, cost int) (accounts, error) {
	unknown, err := bcrypt.GenerateFromPassword([]byte("nobody's password"), cost)
	return accounts{db, cost, unknown}, err
}

// NewSuperuser returns a user who may do everything in the admin, whom nobody has stored yet. email may be empty. cost is
// bcrypt's; 0 is the default. The error says what is wrong with a name, an address or a password.
func NewSuperuser(username, email, password string, cost int) (User, error) {
	in := newUser{username, email, password}
	if err := in.validate(); err != nil {
		return User{}, err
	}
	return accounts{cost: cost}.newUser(in, User{IsStaff: true, IsSuperuser: true})
}

// CreateSuperuser stores a [NewSuperuser]. The error also says that the name is taken.
func CreateSuperuser(ctx context.Context, db *gorm.DB, username, email, password string) (User, error) {
	user, err := NewSuperuser(username, email, password, bcrypt.DefaultCost)
	if err != nil {
		return User{}, err
	}
	return store(ctx, db, user)
}

// create stores a user with the rights of rights.
func (a accounts) create(ctx context.Context, in newUser, rights User) (User, error) {
	user, err := a.newUser(in, rights)
	if err != nil {
		return User{}, err
	}
	return store(ctx, a.db, user)
}

func (a accounts) newUser(in newUser, rights User) (User, error) {
	hash, err := a.hash(in.Password)
	user := rights
	user.Username, user.FoldedName, user.Email, user.PasswordHash = in.Username, foldName(in.Username), in.Email, hash
	return user, err
}

// store leaves it to the table's key to judge the name: no check before could be as sure.
func store(ctx context.Context, db *gorm.DB, user User) (User, error) {
	err := db.WithContext(ctx).Omit(clause.Associations).Create(&user).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return User{}, badRequest("a user of that name exists already")
	}
	return user, err
}

func (a accounts) hash(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), a.cost)
	return string(hash), err
}

// foldName makes names that differ in case the same. Names are in ASCII.
func foldName(username string) string { return strings.ToLower(username) }

var errWrongCredentials = problem{Status: http.StatusBadRequest, Detail: "Wrong Credentials"}

// authenticate returns the user of a name and a password. Whether the name or the password is wrong shows neither in the
// answer nor in the time it takes. network is where the attempt comes from.
func (a accounts) authenticate(ctx context.Context, in signIn, network string) (User, error) {
	name := foldName(strings.TrimSpace(in.Username))
	tried, err := a.attempt(ctx, name, network)
	if err != nil {
		return User{}, err
	}
	var user User
	err = a.db.WithContext(ctx).Where("folded_name = ?", name).Take(&user).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return User{}, err
	}
	hash, known := a.unknown, user.PasswordHash != ""
	if known {
		hash = []byte(user.PasswordHash)
	}
	match := bcrypt.CompareHashAndPassword(hash, []byte(in.Password)) == nil
	if !match || !known || len(in.Password) > maxPassword {
		return User{}, errWrongCredentials
	}
	return user, a.forgive(ctx, tried)
}

// setPassword replaces a password and ends everything that was signed in by the old one.
func setPassword(tx *gorm.DB, userID int64, hash string) error {
	err := tx.Model(&User{}).Where("id = ?", userID).Update("password_hash", hash).Error
	for _, credential := range []any{&Session{}, &Token{}} {
		if err == nil {
			err = tx.Where("user_id = ?", userID).Delete(credential).Error
		}
	}
	return err
}
