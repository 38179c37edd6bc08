package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/example/polls/polls"
)

// superuser is the name of each tenant's first user. They have nothing but the name in common.
const superuser = "shabda"

// seedTenant is a tenant as it starts.
type seedTenant struct {
	id    tenancy.ID
	name  string
	polls []polls.Sample
}

// seeds returns the tenants of the example. Their ids are the same: polls 1 and 2, choices 1 to 6.
func seeds() []seedTenant {
	return []seedTenant{
		{"thor", "Thor's hall", []polls.Sample{
			{Question: "Who may lift the hammer next?", Choices: []string{"Jane", "Steve", "Nobody"}},
			{Question: "Which avenger tells the best story?", Choices: []string{"Clint", "Natasha", "Bruce"}},
		}},
		{"potter", "Potter's common room", []polls.Sample{
			{Question: "Which pet is best at school?", Choices: []string{"An owl", "A cat", "A toad"}},
			{Question: "How much does a swallow weigh, carrying nothing?", Choices: []string{"20 grams", "200 grams", "It depends"}},
		}},
	}
}

// seed creates the tables and the tenants that do not exist yet. It returns the passwords of the superusers it made.
func seed(ctx context.Context, db *gorm.DB) (passwords map[tenancy.ID]string, err error) {
	if err := createTables(ctx, db); err != nil {
		return nil, fmt.Errorf("create tables: %w", err)
	}
	passwords = map[tenancy.ID]string{}
	for _, t := range seeds() {
		err := directory{db}.Lookup(ctx, t.id)
		if errors.Is(err, tenancy.ErrUnknownTenant) {
			passwords[t.id] = rand.Text()
			err = t.create(ctx, db, passwords[t.id])
		}
		if err != nil {
			return nil, fmt.Errorf("seed tenant %s: %w", t.id, err)
		}
	}
	return passwords, nil
}

// create stores the tenant and what it begins with, together.
func (t seedTenant) create(ctx context.Context, db *gorm.DB, password string) error {
	ctx = tenancy.WithTenant(ctx, t.id)
	return db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Create(&Tenant{ID: t.id.String(), Name: t.name}).Error; err != nil {
			return err
		}
		user, err := polls.CreateSuperuser(ctx, tx, superuser, "", password)
		if err != nil {
			return err
		}
		return polls.Seed(ctx, tx, user.ID, t.polls...)
	})
}
