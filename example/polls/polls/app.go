package polls

import (
	"embed"
	"errors"
	"html/template"
	"log/slog"

	"github.com/gin-gonic/gin"
	"golang.org/x/crypto/bcrypt"
	"gorm.io/gorm"
)

//go:embed templates/*.html static/polls.css openapi.json
var files embed.FS

// Options are what may differ from one installation to another. The zero value is right for most.
type Options struct {
	// Logger is told of failures that visitors are not. The default is slog.Default().
	Logger *slog.Logger
	// SecureCookies marks cookies as Secure whatever the request came by. Set it behind a proxy that ends TLS. By default
	// they are Secure where the request came over TLS to this process.
	SecureCookies bool
	// PasswordCost is bcrypt's. The default is bcrypt.DefaultCost.
	PasswordCost int
	// Again reports whether an error means that the database gave a write up in favour of another one, and nothing of it was
	// kept: it is tried again then, a few times. The default is that none does.
	Again func(error) bool
}

// App is the application. It is immutable and safe for concurrent use.
type App struct {
	db        *gorm.DB
	log       *slog.Logger
	secure    bool
	again     func(error) bool
	accounts  accounts
	templates *template.Template
	sections  []section
}

// New returns the application on a database that has the tables of [Models]. It fails without gorm.Config.TranslateError,
// without which a second vote looks like a broken disk.
func New(db *gorm.DB, o Options) (*App, error) {
	if !db.TranslateError {
		return nil, errors.New("polls: open GORM with TranslateError")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.PasswordCost == 0 {
		o.PasswordCost = bcrypt.DefaultCost
	}
	if o.Again == nil {
		o.Again = func(error) bool { return false }
	}
	templates, err := template.ParseFS(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	people, err := newAccounts(db, o.PasswordCost)
	if err != nil {
		return nil, err
	}
	return &App{
		db: db, log: o.Logger, secure: o.SecureCookies, again: o.Again, accounts: people, templates: templates,
		sections: []section{adminPolls(), adminChoices(), adminVotes(), adminUsers(people)},
	}, nil
}

// Mount adds the application's routes to e, with and without a slash at the end, and its answers to requests that fit none.
// What e uses so far runs in front of all of them.
func (a *App) Mount(e *gin.Engine) {
	e.RedirectTrailingSlash = false // gin answers it in front of everything e uses
	e.HandleMethodNotAllowed = true
	e.Use(a.logFailures, Harden, a.sameOrigin)
	e.NoRoute(a.notFound)
	e.NoMethod(a.notAllowed)
	e.GET(Stylesheet, static("text/css; charset=utf-8", "static/polls.css"))
	e.GET("/openapi.json", static("application/json", "openapi.json"))

	e.Use(a.identify)
	a.mountAPI(routes{a, e.Group("/", answerJSON)})
	a.mountBoth(routes{a, e.Group("/", answerEither)})
	a.mountPages(routes{a, e.Group("/", answerPages)})
	a.mountAdmin(routes{a, e.Group("/", answerPages, a.member, a.staff)})
}

// mountAPI adds what programs send. Log-in and sign-up are open; everything else wants a token or a session.
func (a *App) mountAPI(r routes) {
	r.open("POST", "/login/", a.login)
	r.open("POST", "/users/", a.createUser)
	r.member("POST", "/polls/", a.createPoll)
	r.member("PUT", "/polls/:id/", a.replacePoll)
	r.member("PATCH", "/polls/:id/", a.patchPoll)
	r.member("DELETE", "/polls/:id/", a.deletePoll)
	r.member("GET", "/polls/:id/choices/", a.listChoices)
	r.member("POST", "/polls/:id/choices/", a.createChoice)
	r.member("POST", "/polls/:id/choices/:choice/vote/", a.createVote)
}

// mountBoth adds what programs and people read at the same address: JSON unless the reader prefers pages.
func (a *App) mountBoth(r routes) {
	r.open("GET", "/", either(a.apiRoot, a.frontPage))
	r.member("GET", "/polls/", either(a.listPolls, a.listPage))
	r.member("GET", "/polls/:id/", either(a.readPoll, a.pollPage))
	r.member("GET", "/polls/:id/results/", either(a.readResults, a.resultsPage))
}

// mountPages adds forms and what they send.
func (a *App) mountPages(r routes) {
	r.open("GET", "/signup/", a.signUpPage)
	r.open("POST", "/signup/", a.signUp)
	r.open("GET", "/signin/", a.signInPage)
	r.open("POST", "/signin/", a.signIn)
	r.open("POST", "/signout/", a.signOut)
	r.member("GET", "/polls/new/", a.newPollPage)
	r.member("POST", "/polls/new/", a.newPollForm)
	r.member("POST", "/polls/:id/vote/", a.voteForm)
	r.member("GET", "/polls/:id/delete/", a.deletePage)
	r.member("POST", "/polls/:id/delete/", a.deleteForm)
}

// mountAdmin adds what the group lets only staff ask.
func (a *App) mountAdmin(r routes) {
	r.open("GET", "/admin/", a.adminIndex)
	r.open("GET", "/admin/:section/", a.adminList)
	r.open("GET", "/admin/:section/add/", a.adminForm)
	r.open("POST", "/admin/:section/add/", a.adminSave)
	r.open("GET", "/admin/:section/:id/", a.adminForm)
	r.open("POST", "/admin/:section/:id/", a.adminSave)
	r.open("GET", "/admin/:section/:id/delete/", a.adminDeletePage)
	r.open("POST", "/admin/:section/:id/delete/", a.adminDelete)
}
