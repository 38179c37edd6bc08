package operator

import (
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

func (s *Site) startPage(c *gin.Context) {
	w := wish{}
	if len(s.Plans) > 0 {
		w.Plan = s.Plans[0].Strategy
	}
	s.showStart(c, http.StatusOK, w, "")
}

func (s *Site) showStart(c *gin.Context, status int, w wish, problem string) {
	w.Password = ""
	s.page(c, status, "start.html", gin.H{
		"Title": "Start a site", "Error": problem, "Wish": w, "Plans": s.Plans, "Base": s.baseOf(c.Request.Host),
	})
}

// start takes a visitor's wish down. The tenant is made by Run, and its page shows how far it is.
func (s *Site) start(c *gin.Context) {
	w := wish{
		Tenant: c.PostForm("tenant"), Name: c.PostForm("name"), Plan: c.PostForm("plan"),
		Username: c.PostForm("username"), Email: c.PostForm("email"), Password: c.PostForm("password"),
	}
	if !s.launches.allow(polls.NetworkOf(c.ClientIP())) {
		c.Header("Retry-After", "60")
		s.showStart(c, http.StatusTooManyRequests, w, "Too many sites were started from your network. Try again in a minute.")
		return
	}
	if problem := w.validate(s.Plans); problem != "" {
		s.showStart(c, http.StatusBadRequest, w, problem)
		return
	}
	free, err := s.free(c.Request.Context(), w.Tenant)
	if err != nil {
		s.fail(c, err)
		return
	}
	if !free {
		s.showStart(c, http.StatusConflict, w, taken)
		return
	}
	user, err := polls.NewSuperuser(w.Username, w.Email, w.Password, s.PasswordCost)
	if err != nil {
		s.showStart(c, http.StatusBadRequest, w, "The first user: "+err.Error()+".")
		return
	}
	secret := rand.Text()
	err = s.DB.WithContext(c.Request.Context()).Create(&Launch{
		ID: hashOf(secret), Tenant: w.Tenant, Name: w.Name, Plan: w.Plan, Open: true, CreatedAt: time.Now(),
		Username: user.Username, FoldedName: user.FoldedName, Email: user.Email, PasswordHash: user.PasswordHash,
	}).Error
	if err != nil {
		s.fail(c, err)
		return
	}
	s.stir()
	c.Redirect(http.StatusSeeOther, "/start/"+secret+"/")
}

// progress shows how far a launch is; the page asks again by itself until it is done.
func (s *Site) progress(c *gin.Context) {
	var l Launch
	ctx := c.Request.Context()
	err := s.DB.WithContext(ctx).Where("id = ?", hashOf(c.Param("secret"))).Take(&l).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		s.refuse(c, http.StatusNotFound, "There is nothing at this address.")
		return
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	data := gin.H{"Title": l.Name, "Launch": l, "Base": s.baseOf(c.Request.Host)}
	if l.Open {
		t, err := s.Catalog.Store().Get(ctx, tenancy.ID(l.Tenant))
		data["Refresh"] = 1
		data["Making"] = err == nil && t.Metadata[launchKey] == l.ID && t.State != catalog.Active
		data["Slow"] = time.Since(l.CreatedAt) > time.Minute
	}
	s.page(c, http.StatusOK, "progress.html", data)
}
