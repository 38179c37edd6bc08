package polls

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
)

func (a *App) signUpPage(c *gin.Context) error {
	a.page(c, http.StatusOK, "signup.html", gin.H{"Title": "Sign up", "Next": next(c.Query("next"))})
	return nil
}

func (a *App) signUp(c *gin.Context) error {
	values, err := form(c)
	if err != nil {
		return err
	}
	in := newUser{values.Get("username"), values.Get("email"), values.Get("password")}
	var user User
	if err = in.validate(); err == nil {
		user, err = a.accounts.create(c.Request.Context(), in, User{})
	}
	if p, ok := refused(err); ok {
		a.page(c, p.Status, "signup.html", gin.H{
			"Title": "Sign up", "Next": next(values.Get("next")), "Username": in.Username, "Email": in.Email, "Error": p.Detail,
		})
		return nil
	}
	if err != nil {
		return err
	}
	return a.enter(c, user, values)
}

func (a *App) signInPage(c *gin.Context) error {
	a.page(c, http.StatusOK, "signin.html", gin.H{"Title": "Sign in", "Next": next(c.Query("next"))})
	return nil
}

func (a *App) signIn(c *gin.Context) error {
	values, err := form(c)
	if err != nil {
		return err
	}
	in := signIn{values.Get("username"), values.Get("password")}
	user, err := a.accounts.authenticate(c.Request.Context(), in, NetworkOf(c.ClientIP()))
	if p, ok := refused(err); ok {
		if p == errWrongCredentials {
			p.Detail = "The name or the password is wrong."
		}
		a.page(c, p.Status, "signin.html", gin.H{
			"Title": "Sign in", "Next": next(values.Get("next")), "Username": in.Username, "Error": p.Detail,
		})
		return nil
	}
	if err != nil {
		return err
	}
	return a.enter(c, user, values)
}

// enter signs the user in and goes on to where the form says.
func (a *App) enter(c *gin.Context, user User, values url.Values) error {
	if err := a.startSession(c, user.ID); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, next(values.Get("next")))
	return nil
}

func (a *App) signOut(c *gin.Context) error {
	if err := a.endSession(c); err != nil {
		return err
	}
	c.Redirect(http.StatusSeeOther, "/")
	return nil
}

// next returns where to go after signing in: an address of this site, or its front page. Browsers read a backslash as a
// slash, and skip control characters.
func next(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") ||
		strings.ContainsAny(address, "\\\t\r\n") {
		return "/"
	}
	return u.RequestURI()
}
