package polls

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	sessionAge = 14 * 24 * time.Hour
	tokenAge   = 90 * 24 * time.Hour
)

// hashOf is what is stored of a secret. Secrets are random, so that a fast hash is as good as a slow one.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newCredential returns a secret and what is stored of it.
func newCredential(userID int64, expires time.Time) (string, Credential) {
	secret := rand.Text()
	return secret, Credential{Hash: hashOf(secret), UserID: userID, ExpiresAt: expires}
}

// issueToken stores a new token and returns its key.
func (a *App) issueToken(ctx context.Context, userID int64) (string, error) {
	db, now := a.db.WithContext(ctx), a.db.NowFunc()
	if err := db.Where("expires_at <= ?", now).Delete(&Token{}).Error; err != nil {
		return "", err
	}
	key, credential := newCredential(userID, now.Add(tokenAge))
	return key, db.Omit(clause.Associations).Create(&Token{credential}).Error
}

// startSession stores a new session and gives the browser its cookie. The cookie has no Domain, so that a browser sends it
// to this very host only; and the session is a row beside the user's, so that at another host it means nothing.
func (a *App) startSession(c *gin.Context, userID int64) error {
	if err := a.endSession(c); err != nil { // nobody keeps a session that somebody else may know
		return err
	}
	db, now := a.db.WithContext(c.Request.Context()), a.db.NowFunc()
	if err := db.Where("expires_at <= ?", now).Delete(&Session{}).Error; err != nil {
		return err
	}
	secret, credential := newCredential(userID, now.Add(sessionAge))
	if err := db.Omit(clause.Associations).Create(&Session{credential}).Error; err != nil {
		return err
	}
	http.SetCookie(c.Writer, a.cookie(c.Request, secret, int(sessionAge.Seconds())))
	return nil
}

// endSession removes the session of the browser's cookie, and the cookie.
func (a *App) endSession(c *gin.Context) error {
	old, err := c.Request.Cookie(a.cookieName(c.Request))
	if err != nil {
		return nil
	}
	http.SetCookie(c.Writer, a.cookie(c.Request, "", -1))
	return a.db.WithContext(c.Request.Context()).Where("hash = ?", hashOf(old.Value)).Delete(&Session{}).Error
}

func (a *App) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: a.cookieName(r), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: a.overTLS(r), SameSite: http.SameSiteLaxMode,
	}
}

// cookieName begins with __Host- over TLS: browsers then take the cookie from this host only, not from its neighbours.
func (a *App) cookieName(r *http.Request) string {
	if a.overTLS(r) {
		return "__Host-session"
	}
	return "session"
}

func (a *App) overTLS(r *http.Request) bool { return a.secure || r.TLS != nil }

// identify finds out who sends the request, if anybody. A token that is not good is refused; a cookie that is not good is
// no cookie.
func (a *App) identify(c *gin.Context) {
	user, err := a.sender(c.Request)
	if err != nil {
		a.fail(c, err)
		return
	}
	c.Writer.Header().Add("Vary", "Authorization, Cookie")
	if user != nil {
		c.Set(userKey, user)
	}
}

func (a *App) sender(r *http.Request) (*User, error) {
	db := a.db.WithContext(r.Context()).Preload("User").Where("expires_at > ?", a.db.NowFunc())
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, key, _ := strings.Cut(header, " ")
		var token Token
		err := db.Where("hash = ?", hashOf(strings.TrimSpace(key))).Take(&token).Error
		if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !strings.EqualFold(scheme, "Token") {
			return nil, problem{Status: http.StatusUnauthorized, Detail: "Invalid token."}
		}
		return token.User, err
	}
	cookie, err := r.Cookie(a.cookieName(r))
	if err != nil {
		return nil, nil
	}
	var session Session
	if err := db.Where("hash = ?", hashOf(cookie.Value)).Take(&session).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, nil
		}
		return nil, err
	}
	return session.User, nil
}

// current returns who is signed in, or nil.
func current(c *gin.Context) *User {
	user, _ := c.Get(userKey)
	u, _ := user.(*User)
	return u
}

// member lets nobody pass who is not signed in. People are shown where to, and come back to what they wanted to read.
func (a *App) member(c *gin.Context) {
	switch {
	case current(c) != nil:
	case wantsPage(c):
		to := "/signin/"
		if c.Request.Method == http.MethodGet {
			to += "?next=" + url.QueryEscape(c.Request.URL.RequestURI())
		}
		c.Redirect(http.StatusSeeOther, to)
		c.Abort()
	default:
		a.fail(c, problem{Status: http.StatusUnauthorized, Detail: "Authentication credentials were not provided."})
	}
}

// staff lets only staff pass.
func (a *App) staff(c *gin.Context) {
	if !current(c).IsStaff {
		a.fail(c, forbidden("only staff may enter the admin"))
	}
}
