package main

import (
	"testing"

	"github.com/gorm-tenancy/tenancy/example/polls/polls"
	"github.com/gorm-tenancy/tenancy/tenancytest"
)

// TestModelsAreIsolated tries what GORM can do with each model of the application, between two tenants of the catalog.
func TestModelsAreIsolated(t *testing.T) {
	everywhere(t, func(t *testing.T, s *site) {
		tenancytest.RequireIsolated(t, s.DB, append(polls.Models(), tenancytest.Tenants("thor", "potter"))...)
	})
}
