package operator

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

const (
	sessionAge  = 12 * time.Hour
	operatorKey = "operator"
)

func (s *Site) signInPage(c *gin.Context) { s.showSignIn(c, http.StatusOK, "") }

func (s *Site) showSignIn(c *gin.Context, status int, problem string) {
	s.page(c, status, "signin.html", gin.H{"Title": "Operators", "Error": problem, "Name": c.PostForm("username")})
}

// signIn gives the browser a session. Whether the name or the password is wrong shows neither in the answer nor in the time
// it takes.
func (s *Site) signIn(c *gin.Context) {
	name, password := fold(c.PostForm("username")), c.PostForm("password")
	if !s.attempts.allow(polls.NetworkOf(c.ClientIP())) {
		c.Header("Retry-After", "60")
		s.showSignIn(c, http.StatusTooManyRequests, "Too many attempts. Try again in a minute.")
		return
	}
	db := s.DB.WithContext(c.Request.Context())
	var operator Operator
	err := db.Where("name = ?", name).Take(&operator).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		s.fail(c, err)
		return
	}
	hash, known := s.unknown, operator.PasswordHash != ""
	if known {
		hash = []byte(operator.PasswordHash)
	}
	match := bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil
	if !match || !known || len(password) > maxPassword {
		s.showSignIn(c, http.StatusBadRequest, "The name or the password is wrong.")
		return
	}
	if err := s.startSession(c, operator.ID); err != nil {
		s.fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/operator/")
}

// startSession stores a new session and gives the browser its cookie, which it sends to this very host only.
func (s *Site) startSession(c *gin.Context, operatorID uint) error {
	if err := s.endSession(c); err != nil { // nobody keeps a session that somebody else may know
		return err
	}
	db, now := s.DB.WithContext(c.Request.Context()), time.Now()
	if err := db.Where("expires_at <= ?", now).Delete(&Session{}).Error; err != nil {
		return err
	}
	secret := rand.Text()
	session := Session{Hash: hashOf(secret), OperatorID: operatorID, ExpiresAt: now.Add(sessionAge)}
	if err := db.Omit("Operator").Create(&session).Error; err != nil {
		return err
	}
	http.SetCookie(c.Writer, s.cookie(c.Request, secret, int(sessionAge.Seconds())))
	return nil
}

func (s *Site) endSession(c *gin.Context) error {
	old, err := c.Request.Cookie(s.cookieName(c.Request))
	if err != nil {
		return nil
	}
	http.SetCookie(c.Writer, s.cookie(c.Request, "", -1))
	return s.DB.WithContext(c.Request.Context()).Where("hash = ?", hashOf(old.Value)).Delete(&Session{}).Error
}

func (s *Site) signOut(c *gin.Context) {
	if err := s.endSession(c); err != nil {
		s.fail(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, "/")
}

func (s *Site) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(r), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.overTLS(r), SameSite: http.SameSiteLaxMode,
	}
}

// cookieName begins with __Host- over TLS: browsers then take the cookie from this host only, not from a tenant's.
func (s *Site) cookieName(r *http.Request) string {
	if s.overTLS(r) {
		return "__Host-operator"
	}
	return "operator"
}

func (s *Site) overTLS(r *http.Request) bool { return s.SecureCookies || r.TLS != nil }

// identify lets operators pass who are signed in, and shows others where to.
func (s *Site) identify(c *gin.Context) {
	var session Session
	cookie, err := c.Request.Cookie(s.cookieName(c.Request))
	if err == nil {
		err = s.DB.WithContext(c.Request.Context()).Preload("Operator").
			Where("hash = ? AND expires_at > ?", hashOf(cookie.Value), time.Now()).Take(&session).Error
	}
	switch {
	case err == nil && session.Operator != nil:
		c.Set(operatorKey, session.Operator.Name)
	case err == nil, errors.Is(err, http.ErrNoCookie), errors.Is(err, gorm.ErrRecordNotFound):
		c.Redirect(http.StatusSeeOther, "/operator/signin/")
		c.Abort()
	default:
		s.fail(c, err)
	}
}

// signedIn returns the operator's name; empty for others.
func signedIn(c *gin.Context) string { return c.GetString(operatorKey) }
