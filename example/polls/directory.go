package main

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
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
		c.Next()
		return
	}
	switch c.FullPath() {
	case "/":
		d.frontPage(c)
		c.Abort()
	case stylesheet:
		c.Next()
	default:
		fail(c, problem{Status: http.StatusNotFound, Detail: "open a tenant's own address"})
	}
}

func (d directory) frontPage(c *gin.Context) {
	var tenants []Tenant
	if err := d.db.WithContext(c.Request.Context()).Order("id").Find(&tenants).Error; err != nil {
		fail(c, err)
		return
	}
	base := baseHost // not the request's host, which may be an address
	if _, port, err := net.SplitHostPort(c.Request.Host); err == nil {
		base = net.JoinHostPort(baseHost, port)
	}
	c.HTML(http.StatusOK, "front.html", page(c, gin.H{"Title": "Tenants", "Tenants": tenants, "Base": base}))
}
