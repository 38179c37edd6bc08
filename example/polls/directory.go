package main

import (
	"context"
	_ "embed"
	"errors"
	"html/template"
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/gin-gonic/gin/render"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// Tenant is a customer. The table is central: there is one list for all.
type Tenant struct {
	ID   string `gorm:"primaryKey;size:63"`
	Name string `gorm:"size:100;not null"`
}

// directory knows which tenants exist. It is immutable and safe for concurrent use.
type directory struct{ db *gorm.DB }

// Lookup returns nil for a tenant that exists and tenancy.ErrUnknownTenant for one that does not.
func (d directory) Lookup(ctx context.Context, id tenancy.ID) error {
	err := d.db.WithContext(tenancy.Central(ctx)).Where("id = ?", id.String()).Take(&Tenant{}).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return tenancy.ErrUnknownTenant
	}
	return err
}

// front answers what is asked of the bare host, which has no tenant: its front page, and nothing else that is not the
// same for everybody. Requests for a tenant pass.
func (d directory) front(c *gin.Context) {
	if _, ok := tenancy.FromContext(c.Request.Context()); ok {
		return
	}
	switch {
	case c.FullPath() == polls.Stylesheet:
	case c.FullPath() == "/":
		d.frontPage(c)
		c.Abort()
	default:
		c.AbortWithStatusJSON(http.StatusNotFound, gin.H{"status": http.StatusNotFound, "detail": "open a tenant's own address"})
	}
}

//go:embed front.html
var frontText string

func (d directory) frontPage(c *gin.Context) {
	var tenants []Tenant
	page, err := template.New("front").Parse(frontText)
	if err == nil {
		err = d.db.WithContext(c.Request.Context()).Order("id").Find(&tenants).Error
	}
	if err != nil {
		_ = c.AbortWithError(http.StatusInternalServerError, err)
		return
	}
	c.Render(http.StatusOK, render.HTML{Template: page, Data: gin.H{
		"Stylesheet": polls.Stylesheet, "Tenants": tenants, "Base": baseOf(c.Request.Host),
	}})
}

// baseOf returns the base host by which somebody came, with the port. Who came by an address is sent to the first one.
func baseOf(host string) string {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	base := baseHosts()[0]
	for _, known := range baseHosts() {
		if strings.EqualFold(strings.TrimSuffix(name, "."), known) {
			base = known
		}
	}
	if port == "" {
		return base
	}
	return net.JoinHostPort(base, port)
}
